"""The measurements: one module each, with `measure(effort) -> list of tables`."""
