"""The outside world: one client, with guard, health and credentials."""
