"""Real clients on real registries, through Entrepot: `python -m tests.live [CLIENT …]`."""
