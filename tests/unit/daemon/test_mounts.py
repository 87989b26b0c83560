"""Network file systems are told by /proc/self/mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from headroomd.daemon.mounts import network_type

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home {0}/home nfs4 rw 0 0
me@host:/x {0}/with\\040blank fuse.sshfs rw 0 0
tmpfs {0}/home/local tmpfs rw 0 0
C: {0}/c 9p rw 0 0
portal {0}/doc fuse.portal rw 0 0
odd
"""


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("home/sam/.claude", "nfs4"),
        ("home/local/x", ""),
        ("homely", ""),
        ("with blank/x", "fuse.sshfs"),
        ("c/Users", "9p"),
        ("doc", ""),
        ("", ""),
    ],
)
def test_types(tmp_path: Path, folder: str, found: str) -> None:
    """The innermost mount decides."""
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.format(tmp_path))
    assert network_type(tmp_path / folder, mounts) == found


def test_no_list_of_mounts(tmp_path: Path) -> None:
    """Where the system has none, everything is taken to be local."""
    assert network_type(tmp_path, tmp_path / "missing") == ""
