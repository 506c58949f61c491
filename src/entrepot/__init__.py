"""Entrepot: a verified copy of every package a team's builds need."""

__version__ = "0.1.0"
