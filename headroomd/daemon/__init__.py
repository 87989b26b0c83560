"""Deciding when: what changed on the disk, what has closed, what the clock and clients ask for."""
