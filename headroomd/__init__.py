"""headroomd: learns from coding agents' failed tool calls what would have worked.

The program reads like the drawing in pipeline.py; the words are in model.py.
"""

__version__ = "0.1.0"
