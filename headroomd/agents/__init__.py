"""Reading: one file per agent, bytes in, events out."""
