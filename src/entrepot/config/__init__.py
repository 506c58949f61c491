"""Settings: read once, strictly, with a note of where each value came from."""
