"""`python -m headroomd`."""

from headroomd.cli import main

if __name__ == "__main__":
    main()
