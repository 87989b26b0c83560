"""Where headroomd keeps its own things: one object owns every location.

Standard library and platformdirs only: `headroomd status` passes through here.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

import platformdirs

from headroomd.errors import ConfigError

__all__ = ["ANALYST_FOLDER", "OVERRIDES", "Places", "is_analyst_folder", "make_private"]

ANALYST_FOLDER: Final = "headroomd-analyst-"
"""How the names of the folders in the state begin in which agents' CLIs are asked as LLMs."""

OVERRIDES: Final = ("HEADROOMD_STATE_DIR", "HEADROOMD_CONFIG", "HEADROOMD_RUNTIME_DIR")
"""Variables that move a place; they are not keys of the config."""

_APP: Final = "headroomd"
_LONGEST_SOCKET_PATH: Final = 100  # bytes; Linux allows 107, macOS 103


@dataclass(frozen=True)
class Places:
    """Every location of one user's headroomd. Nothing is created by asking; see `make_private`."""

    state: Path  # folder
    config: Path  # file
    runtime: Path  # folder
    log: Path  # file; only written where no journal and no terminal takes the logs

    @classmethod
    def current(cls, variables: Mapping[str, str] | None = None) -> Places:
        """The places of this user: XDG folders on Linux, ~/Library on macOS, moved by the OVERRIDES."""
        variables = os.environ if variables is None else variables

        def place(variable: str, default: str) -> Path:
            return Path(variables.get(variable) or default).expanduser().absolute()

        state = place("HEADROOMD_STATE_DIR", platformdirs.user_state_dir(_APP))
        logs = state / "log" if variables.get("HEADROOMD_STATE_DIR") else Path(platformdirs.user_log_dir(_APP))
        return cls(
            state=state,
            config=place("HEADROOMD_CONFIG", str(Path(platformdirs.user_config_dir(_APP)) / "config.toml")),
            runtime=place("HEADROOMD_RUNTIME_DIR", str(_runtime_folder(state))),
            log=logs / "headroomd.log",
        )

    @property
    def ledger(self) -> Path:
        """The database."""
        return self.state / "ledger.sqlite3"

    @property
    def lock(self) -> Path:
        """Beside the ledger that it guards: two shells may disagree about the runtime folder, never about this."""
        return self.state / "headroomd.lock"

    @property
    def socket(self) -> Path:
        """The control socket; in a short temporary folder where the runtime folder's path is too long for one."""
        path = self.runtime / "ctl.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        digest = hashlib.sha256(os.fsencode(self.runtime)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"{_APP}-{os.getuid()}-{digest}" / "ctl.sock"


def _runtime_folder(state: Path) -> Path:
    """The login session's runtime folder where there is one, else a folder in the state: never a shared /tmp."""
    session = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    return session / _APP if session.is_dir() else state / "run"


def is_analyst_folder(cwd: str) -> bool:
    """Whether a session that ran in `cwd` is one of the analyst's own, from which nothing may be learnt."""
    return any(part.startswith(ANALYST_FOLDER) for part in PurePath(cwd).parts)


def make_private(folder: Path) -> Path:
    """`folder`, made if it is missing and closed to other users (0700).

    Raises:
        ConfigError: it cannot be made, is no folder, or belongs to another user.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid != os.getuid():
            raise ConfigError(f"{folder} belongs to another user", f"remove it, or set one of {', '.join(OVERRIDES)}")
        if stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder} ({error.strerror})", "check its parent's owner") from error
    return folder
