"""Pairing failed calls with what fixed them: events in, evidence out. Pure."""
