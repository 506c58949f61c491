"""The command line: one module for each command, with its Typer application as `app`."""
