"""Folders of upstreams that are mirrored as a whole."""
