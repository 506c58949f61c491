"""Values everyone speaks: frozen, without I/O."""
