"""Where an LLM is asked: three vendors' HTTP interfaces, compatible servers, and the agents' own CLIs.

Nothing heavy is imported here: httpx and stamina only when something is really asked over HTTP.
"""

from __future__ import annotations

from headroomd.analysis.backends.base import Answer, Backend, Garbled, Overloaded, Rejected, Request, TooLong
from headroomd.analysis.backends.cli import is_analyst_folder
from headroomd.analysis.backends.select import select

__all__ = [
    "Answer",
    "Backend",
    "Garbled",
    "Overloaded",
    "Rejected",
    "Request",
    "TooLong",
    "is_analyst_folder",
    "select",
]
