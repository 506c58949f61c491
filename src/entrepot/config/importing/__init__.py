"""Configurations of the systems that people come from, translated into ours. One module per system."""
