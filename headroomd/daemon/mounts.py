"""Which folders lie on file systems that tell nothing of what other machines write."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

__all__ = ["network_type"]

_MOUNTS: Final = Path("/proc/self/mounts")
_NETWORK: Final = re.compile(
    "nfs4?|cifs|smb3|smbfs|9p|drvfs|virtiofs|vboxsf|prl_fs|afs|ceph|lustre|beegfs|glusterfs|ncpfs|davfs"
)
_NETWORK_FUSE: Final = re.compile(r"fuse\.(sshfs|rclone|davfs2?|s3fs|gcsfuse|glusterfs|ceph|grpcfuse|osxfs)")
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")  # how the kernel writes blanks in paths


def network_type(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the network file system that holds `folder`, or "" where it is a local one.

    Read from /proc/self/mounts; systems without it (macOS) are taken to be local, and the sweep makes good for it.
    """
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    path = os.path.realpath(folder)
    best, found = "", ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[1]).rstrip("/")
        if (path == point or path.startswith(point + "/")) and len(point) >= len(best):
            best, found = point, fields[2]
    return found if _NETWORK.fullmatch(found) or _NETWORK_FUSE.fullmatch(found) else ""
