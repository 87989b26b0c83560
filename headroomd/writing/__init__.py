"""Text and files: how a lesson is said, how a block is put in, how a file is swapped."""
