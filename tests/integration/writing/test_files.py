"""Real files: read with care, swapped atomically, and left whole whatever goes wrong."""

from __future__ import annotations

import errno
import os
import random
import resource
import select
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from headroomd.errors import TargetError
from headroomd.model import Section
from headroomd.writing import files
from headroomd.writing.block import Bullet
from headroomd.writing.files import ChangedError, Snapshot, read, swap
from headroomd.writing.plan import plan_write

BULLETS = [Bullet("1", Section.PATHS, "`a.py` → actually at `b.py`")]
BLOCK_BY_HAND = b"<!-- headroom:learn:start -->\n<!-- headroom:learn:end -->\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def target(project: Path) -> Path:
    path = project / "CLAUDE.md"
    path.write_bytes(b"# Title\n")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_and_undo(path: Path, project: Path) -> bytes:
    """Puts the block in, checks that doing it again is nothing, takes it out again; gives what was written."""
    plan = plan_write(read(path, project), BULLETS)
    assert plan is not None
    swap(read(path, project), plan.result)
    assert plan_write(read(path, project), BULLETS) is None
    written = path.read_bytes()
    swap(read(path, project), plan.undone)
    return written


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"# T\r\n\r\ntext\r\n", id="CRLF"),
        pytest.param(b"\xef\xbb\xbf# T\n", id="BOM"),
        pytest.param("# Größe\n".encode("latin-1"), id="Latin-1"),
        pytest.param(b"# T", id="no last line end"),
        pytest.param(b"", id="empty"),
        pytest.param(b"one\r\ntwo\nthree\rfour\n", id="mixed line ends"),
        pytest.param(
            b"```\n<!-- headroom:learn:start -->\n<!-- headroom:learn:end -->\n```\n", id="markers in a fence"
        ),
        pytest.param(b"```\nnever closed\n", id="open fence"),
        pytest.param(b"a line of text\n" * 350_000, id="5 MB"),
    ],
)
def test_an_odd_file_is_written_and_put_back_byte_for_byte(project: Path, data: bytes) -> None:
    """What stood in the file stands in it with the block, and undoing leaves exactly what was there."""
    path = project / "AGENTS.md"
    path.write_bytes(data)
    written = write_and_undo(path, project)
    assert "`a.py` → actually at `b.py`".encode() in written
    assert len(written) > len(data)
    assert path.read_bytes() == data
    assert names(project) == ["AGENTS.md"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"<!-- headroom:learn:start -->\ntext\n", id="end missing"),
        pytest.param(BLOCK_BY_HAND * 2, id="two blocks"),
        pytest.param("text\n".encode("utf-16"), id="UTF-16"),
    ],
)
def test_a_file_that_cannot_take_a_block_is_left_alone(target: Path, project: Path, data: bytes) -> None:
    """One clear line with the path in it, and not a byte touched."""
    target.write_bytes(data)
    before = target.stat()
    with pytest.raises(TargetError, match=r"CLAUDE\.md") as caught:
        plan_write(read(target, project), BULLETS)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    assert target.read_bytes() == data
    assert target.stat() == before


def test_a_new_file_is_made_and_undone(project: Path) -> None:
    """A file that was not there gets the usual mode, and undoing takes it away again."""
    path = project / "GEMINI.md"
    old = os.umask(0o027)
    try:
        assert b"a.py" in _write(path, project)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    swap(read(path, project), None)
    assert names(project) == []
    swap(read(path, project), None)


def _write(path: Path, project: Path) -> bytes:
    plan = plan_write(read(path, project), BULLETS)
    assert plan is not None
    swap(read(path, project), plan.result)
    return path.read_bytes()


def test_the_same_content_writes_nothing(target: Path, project: Path) -> None:
    """Not even the modification time changes."""
    before = target.stat()
    swap(read(target, project), b"# Title\n")
    assert target.stat() == before


def test_mode_and_attributes_are_kept(target: Path, project: Path) -> None:
    """The new file has the old one's permissions and extended attributes."""
    target.chmod(0o604)
    attributes = hasattr(os, "setxattr")
    if attributes:
        try:
            os.setxattr(target, "user.note", b"kept")
        except OSError:
            attributes = False
    swap(read(target, project), b"new\n")
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    if attributes:
        assert os.getxattr(target, "user.note") == b"kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_the_owner_is_kept(target: Path, project: Path) -> None:
    """A file of someone else stays theirs, with its set-user bits."""
    os.chown(target, 12345, 23456)
    target.chmod(0o4644)
    swap(read(target, project), b"new\n")
    now = target.stat()
    assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (12345, 23456, 0o4644)


def test_a_symlink_inside_the_project_is_followed(target: Path, project: Path) -> None:
    """The link stays a link, and the file that it leads to is written."""
    link = project / "AGENTS.md"
    link.symlink_to("CLAUDE.md")
    assert read(link, project).real == target.resolve()
    assert write_and_undo(link, project).startswith(b"# Title\n\n<!--")
    assert link.is_symlink()
    assert target.read_bytes() == b"# Title\n"


def test_a_project_reached_through_a_symlink_is_inside_itself(target: Path, project: Path) -> None:
    """Where the project's own folder is behind a link, its files do not lead out of it."""
    link = project.parent / "link"
    link.symlink_to(project)
    assert read(link / "CLAUDE.md", link).real == target.resolve()
    assert read(link / "CLAUDE.md", project).data == b"# Title\n"


def test_a_symlink_that_leaves_the_project_is_refused(target: Path, project: Path, tmp_path: Path) -> None:
    """A link to a file, and a folder that is a link, unless they lead to a folder that is allowed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "notes.md").write_bytes(b"mine\n")
    (project / "AGENTS.md").symlink_to(outside / "notes.md")
    (project / "docs").symlink_to(outside)
    for path in (project / "AGENTS.md", project / "docs/notes.md", project / "docs/new.md", project / "../outside/x"):
        with pytest.raises(TargetError, match="leads out of the project"):
            read(path, project)
        assert read(path, project, outside).path == path


@pytest.mark.parametrize("leads_to", ["missing.md", "AGENTS.md"])
def test_a_symlink_that_leads_nowhere_is_refused(project: Path, leads_to: str) -> None:
    """A dangling link and a link to itself."""
    link = project / "AGENTS.md"
    link.symlink_to(leads_to)
    with pytest.raises(TargetError, match="leads nowhere"):
        read(link, project)


def test_what_is_no_regular_file_is_refused(project: Path) -> None:
    """Folders, and pipes, which must not be waited for."""
    (project / "folder").mkdir()
    os.mkfifo(project / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(TargetError, match="not a regular file"):
            read(project / name, project)


def test_a_file_with_two_names_is_refused(target: Path, project: Path) -> None:
    """Replacing one of two hard links would silently part them."""
    (project / "AGENTS.md").hardlink_to(target)
    with pytest.raises(TargetError, match="hard link"):
        read(target, project)


def test_a_file_that_no_agent_loads_whole_is_refused(target: Path, project: Path) -> None:
    """More than eight mebibytes are not even read."""
    with target.open("r+b") as file:
        file.truncate(files.MAX_SIZE + 1)
    with pytest.raises(TargetError, match="larger than 8 MiB"):
        read(target, project)


def test_a_name_that_is_too_long_is_told(project: Path) -> None:
    """What the system refuses comes with cause and remedy; the longest allowed name works."""
    with pytest.raises(TargetError, match="too long") as caught:
        read(project / ("x" * 300), project)
    assert caught.value.remedy == "use a shorter path"
    longest = project / ("x" * 252 + ".md")
    assert b"a.py" in _write(longest, project)


def test_a_read_only_file_is_refused(target: Path, project: Path) -> None:
    """Whoever took the write permission away meant it, even where root could write."""
    target.chmod(0o444)
    with pytest.raises(TargetError, match="read-only") as caught:
        read(target, project)
    assert "chmod" in caught.value.remedy
    assert target.read_bytes() == b"# Title\n"


def test_a_read_only_folder_is_refused(target: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the file in it, for a new one, and for taking one away; whether it is so the system says, who lets root."""
    here, new = read(target, project), read(project / "AGENTS.md", project)
    project.chmod(0o555)
    if os.geteuid() == 0:
        may = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != project and may(path, mode))
    try:
        for snapshot, data in ((here, b"x\n"), (new, b"x\n"), (here, None)):
            with pytest.raises(TargetError, match="read-only"):
                swap(snapshot, data)
    finally:
        project.chmod(0o755)
    assert names(project) == ["CLAUDE.md"]
    assert target.read_bytes() == b"# Title\n"


@pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform == "darwin", reason="only root can become another user for a test"
)
def test_the_files_of_others_are_refused() -> None:
    """Without the right to write nothing is written, though the folder would allow to replace the file."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        project, target = Path(name), Path(name, "CLAUDE.md")
        target.write_bytes(b"# Title\n")
        project.chmod(0o777)
        os.setresuid(65534, 65534, 0)
        try:
            with pytest.raises(TargetError, match="read-only"):
                read(target, project)
            swap(read(project / "AGENTS.md", project), b"x\n")
        finally:
            os.setresuid(0, 0, 0)
        assert target.read_bytes() == b"# Title\n"
        project.chmod(0o755)
        os.setresuid(65534, 65534, 0)
        try:
            with pytest.raises(TargetError, match="read-only"):
                swap(read(project / "GEMINI.md", project), b"x\n")
        finally:
            os.setresuid(0, 0, 0)
        assert names(project) == ["AGENTS.md", "CLAUDE.md"]


def test_a_missing_folder_is_made_only_for_memory(project: Path, tmp_path: Path) -> None:
    """A memory folder comes into being with its first file; in a project no folder is made."""
    root = tmp_path / "agent"
    path = root / "projects/x/memory/MEMORY.md"
    snapshot = read(path, project, root)
    with pytest.raises(TargetError) as caught:
        swap(snapshot, b"x\n")
    assert caught.value.remedy == "create its folder first"
    assert not root.exists()
    swap(snapshot, b"x\n", make_parents=True)
    assert path.read_bytes() == b"x\n"


@pytest.mark.parametrize("after", [b"new\n", None])
@pytest.mark.parametrize("change", ["edited", "removed", "replaced by a pipe", "replaced by a link"])
def test_a_change_between_read_and_swap_is_noticed(
    target: Path, project: Path, change: str, after: bytes | None
) -> None:
    """What someone else wrote meanwhile is never overwritten: the caller reads again."""
    snapshot = read(target, project)
    target.unlink()
    if change == "edited":
        target.write_bytes(b"# Titel\n")
    elif change == "replaced by a pipe":
        os.mkfifo(target)
    elif change == "replaced by a link":
        (project / "other.md").write_bytes(b"# Title\n")
        target.symlink_to("other.md")
    before = names(project)
    with pytest.raises(ChangedError):
        swap(snapshot, after)
    assert names(project) == before
    if change == "edited":
        assert target.read_bytes() == b"# Titel\n"


def test_a_file_that_appears_meanwhile_is_not_overwritten(project: Path) -> None:
    """A new file is made only where there is still none."""
    path = project / "AGENTS.md"
    snapshot = read(path, project)
    path.write_bytes(b"mine\n")
    with pytest.raises(ChangedError):
        swap(snapshot, b"new\n")
    assert path.read_bytes() == b"mine\n"
    assert names(project) == ["AGENTS.md"]


@pytest.mark.parametrize("step", ["open", "fsync", "fchmod", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO])
def test_a_failing_system_call_leaves_the_old_file(
    target: Path, project: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    """At whichever step the system refuses: the cause is told, the file intact, no temporary file behind."""
    real_open = os.open

    def fail(*arguments: object, **_named: object) -> None:
        raise OSError(code, os.strerror(code), str(arguments[0]))

    def fail_creating(path: str, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            fail(path)
        return real_open(path, flags, *rest)

    snapshot = read(target, project)
    with monkeypatch.context() as patch:
        if step == "replace":
            patch.setattr(Path, "replace", fail)
        else:
            patch.setattr(os, step, fail_creating if step == "open" else fail)
        with pytest.raises(TargetError, match=os.strerror(code)) as caught:
            swap(snapshot, b"new\n")
    assert caught.value.remedy
    assert target.read_bytes() == b"# Title\n"
    assert names(project) == ["CLAUDE.md"]


def test_a_write_that_is_cut_short_leaves_the_old_file(target: Path, project: Path) -> None:
    """The system itself stops the write in the middle of the temporary file."""
    snapshot = read(target, project)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        with pytest.raises(TargetError, match="too large"):
            swap(snapshot, b"x" * 1024 * 1024)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert target.read_bytes() == b"# Title\n"
    assert names(project) == ["CLAUDE.md"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """A file system of 64 KiB, with a file in it and no room for the new one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip(f"cannot mount a small file system: {mount.stderr.decode().strip()}")
    try:
        path = disk / "CLAUDE.md"
        path.write_bytes(b"x" * 40_000)
        with pytest.raises(TargetError, match="No space") as caught:
            swap(read(path, disk), b"y" * 40_000)
        assert "free some space" in caught.value.remedy
        assert path.read_bytes() == b"x" * 40_000
        assert names(disk) == ["CLAUDE.md"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_what_a_killed_run_left_is_cleared_away(target: Path, project: Path) -> None:
    """An old temporary file goes with the next write; a young one may belong to a run at work."""
    old, young = project / ".headroomd-old.tmp", project / ".headroomd-young.tmp"
    old.touch()
    young.touch()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    swap(read(target, project), b"new\n")
    assert names(project) == [".headroomd-young.tmp", "CLAUDE.md"]


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from headroomd.writing import files

def die(*_arguments, **_named):
    os.kill(os.getpid(), signal.SIGKILL)

owner, name = {"Path": Path, "os": os, "files": files}[sys.argv[2]], sys.argv[3]
setattr(owner, name, die)
path = Path(sys.argv[1])
files.swap(files.read(path, path.parent), b"new" * 100_000)
"""


@pytest.mark.parametrize(
    ("step", "expected"),
    [("os fsync", b"old"), ("os fchmod", b"old"), ("Path replace", b"old"), ("files _sync_folder", b"new")],
)  # fmt: skip
def test_a_kill_at_any_step_leaves_a_whole_file(target: Path, step: str, expected: bytes) -> None:
    """Before the rename it is the old file, after it the new one."""
    target.write_bytes(b"old" * 100_000)
    owner, name = step.split()
    run = subprocess.run([sys.executable, "-c", KILLED_AT, target, owner, name], check=False)
    assert run.returncode == -signal.SIGKILL
    assert target.read_bytes() == expected * 100_000


SWAPPING = """
import sys
import tempfile
from pathlib import Path
from headroomd.writing.files import read, swap

path = Path(sys.argv[1])
print("ready", flush=True)
while True:
    for letter in (b"a", b"b"):
        swap(read(path, path.parent), letter * 1_000_000)
"""


def test_a_kill_at_a_random_moment_leaves_a_whole_file(target: Path) -> None:
    """A process that swaps without end is killed again and again: the file is always one of the two."""
    target.write_bytes(b"a" * 1_000_000)
    chance = random.Random(7)
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", SWAPPING, target], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            select.select([], [], [], chance.uniform(0, 0.04))
            child.kill()
        data = target.read_bytes()
        assert data in (b"a" * 1_000_000, b"b" * 1_000_000)


def test_reading_a_snapshot_tells_what_was_found(target: Path, project: Path) -> None:
    """Content, identity, mode and time of the file behind the path; nothing for one that is not there."""
    status = target.stat()
    assert read(target, project) == Snapshot(
        target, target.resolve(), b"# Title\n", True, status.st_mode, status.st_mtime_ns, status.st_dev, status.st_ino
    )
    missing = project / "AGENTS.md"
    assert read(missing, project) == Snapshot(missing, project.resolve() / "AGENTS.md")
