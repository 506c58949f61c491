"""Who is measured: one module each, all alike to the measurements."""
