"""The configuration: read once, strictly, and where each value came from."""
