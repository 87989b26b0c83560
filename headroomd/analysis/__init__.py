"""Asking an LLM, on a short lead: evidence out, and of its answer only what the evidence shows. Optional."""
