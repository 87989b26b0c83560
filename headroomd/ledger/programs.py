"""Which programs were found on a PATH when last looked for: only a change tells anything.

That a program is not there proves nothing about a lesson: the daemon's PATH is not the shell's. That it was, and no
longer is, on the very same PATH does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from headroomd.ledger.db import Connection, transaction

__all__ = ["Programs"]

_THERE: Final = "there"
_ABSENT: Final = "absent"


class Programs:
    """Remembers, for each PATH, what was there at the first look."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def changed(self, path: str, found: Mapping[str, bool]) -> dict[str, bool]:
        """Those of the programs `found` now (True) or not (False) that were otherwise when first looked for."""
        digest = hashlib.blake2b(path.encode("utf-8", "replace"), digest_size=8).hexdigest()
        keys = {name: f"program.{digest}.{name}" for name in found}
        with transaction(self._db):
            self._db.executemany(
                "INSERT OR IGNORE INTO meta VALUES (?, ?)",
                [(keys[name], _THERE if is_there else _ABSENT) for name, is_there in found.items()],
            )
        before = {
            name: self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0] == _THERE
            for name, key in keys.items()
        }
        return {name: is_there for name, is_there in found.items() if is_there != before[name]}
