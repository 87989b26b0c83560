"""Keeping the daemon small, and giving memory back after a backlog was read: most of the heap is free then, and still
counts as ours."""

from __future__ import annotations

import ctypes
import gc
import importlib
import sys
from functools import lru_cache
from typing import Final

__all__ = ["give_back", "import_lean", "trim"]

_CACHED: Final = type(lru_cache(len))


def import_lean() -> None:
    """Import what would bring along much that a daemon at rest does not use; to be called before anything else is.

    structlog imports rich where it can, and pydantic-settings asyncio, which imports ssl where it can. Whoever needs
    them later finds them.
    """
    unused = [name for name in ("rich", "ssl") if name not in sys.modules]
    for name in unused:
        sys.modules[name] = None  # type: ignore[assignment]  # imports of it fail, which both expect
    try:
        importlib.import_module("pydantic_settings")
        importlib.import_module("structlog")
    finally:
        for name in unused:
            del sys.modules[name]


def give_back() -> None:
    """Forget what was kept for sessions that are like each other, and return free memory to the system."""
    for name, module in list(sys.modules.items()):
        if name.startswith("headroomd."):
            for value in vars(module).values():
                if isinstance(value, _CACHED):
                    value.cache_clear()
    gc.collect()
    trim()


def trim() -> None:
    """Return free memory to the system where the C library can (glibc)."""
    if sys.platform == "linux":
        malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if malloc_trim is not None:
            malloc_trim(0)
