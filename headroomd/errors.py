"""What can go wrong in a way that a person must hear of.

Keep this module free of imports: every room raises from here, and only the edges (cli/, daemon/) catch.

    HeadroomError
    ├── ConfigError      the config file, a variable or a flag says something impossible
    ├── LedgerError      the database cannot be opened, is damaged, or is newer than the program
    ├── TargetError      a file that should hold a block cannot be written safely; it was left as it is
    ├── PluginError      an agent plugin does not import or does not keep its promise
    ├── BackendError     an LLM backend did not answer usably
    ├── ControlError     the daemon cannot be reached or did not understand
    └── LockHeldError    another instance is at work
"""

from __future__ import annotations


class HeadroomError(Exception):
    """One line for a person: what happened and where (`cause`), and what to do about it (`remedy`)."""

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"{cause}: {remedy}" if remedy else cause)
        self.cause = cause
        self.remedy = remedy


class ConfigError(HeadroomError):
    """The config file, a variable or a flag says something impossible."""


class LedgerError(HeadroomError):
    """The database cannot be opened, is damaged, or is newer than the program."""


class TargetError(HeadroomError):
    """A file that should hold a block cannot be written safely; it was left as it is."""


class PluginError(HeadroomError):
    """An agent plugin does not import or does not keep its promise."""


class BackendError(HeadroomError):
    """An LLM backend did not answer usably."""


class ControlError(HeadroomError):
    """The daemon cannot be reached or did not understand."""


class LockHeldError(HeadroomError):
    """Another instance is at work."""
