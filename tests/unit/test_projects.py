"""Which project a working directory belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from headroomd.projects import Place, ProjectFinder, ProjectRoot, is_home, project_root


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path.resolve() / "home"
    home.mkdir()
    return home


def repository(path: Path) -> Path:
    (path / ".git").mkdir(parents=True)
    return path


def worktree(main: Path, path: Path, name: str = "feature") -> Path:
    """What `git worktree add` leaves on the disk."""
    git_dir = main / ".git/worktrees" / name
    git_dir.mkdir(parents=True)
    (git_dir / "commondir").write_text("../..\n")
    path.mkdir(parents=True)
    (path / ".git").write_text(f"gitdir: {git_dir}\n")
    return path


def found(path: Path, checkout: Path | None = None) -> ProjectRoot:
    return ProjectRoot(Place.FOUND, str(path), str(checkout or path))


def test_subfolder_of_a_repository(home: Path) -> None:
    """A folder in a repository belongs to the repository's root."""
    root = repository(home / "work/shop")
    (root / "src/api").mkdir(parents=True)
    assert project_root(str(root / "src/api"), home) == found(root)


def test_nested_repository_is_its_own_project(home: Path) -> None:
    """The nearest repository upwards wins."""
    repository(home / "work")
    inner = repository(home / "work/shop")
    assert project_root(str(inner), home) == found(inner)


def test_folder_without_repository_is_its_own_project(home: Path) -> None:
    """Without git, the working directory itself is the project."""
    folder = home / "notes"
    folder.mkdir()
    assert project_root(str(folder), home) == found(folder)


def test_the_home_folder_is_known_but_no_project(home: Path, tmp_path: Path) -> None:
    """What was done in the home folder itself is kept apart, under whichever name the session gave it."""
    link = tmp_path / "link"
    link.symlink_to(home)
    assert project_root(str(home), home) == ProjectRoot(Place.HOME, str(home), str(home))
    assert project_root(str(link), home) == ProjectRoot(Place.HOME, str(home), str(link))
    assert is_home(home, link)
    assert not is_home(home.parent, home)


@pytest.mark.parametrize("above", [0, 1, 2])
def test_home_and_what_lies_above_it_is_no_project(home: Path, above: int) -> None:
    """A session in the home folder, in one of its parents or in / has no project to write to."""
    folder = [home, home.parent, Path("/")][above]
    root = project_root(str(folder), home)
    assert (root.place, root.path) == (Place.HOME, "" if above else str(home))


def test_repository_in_the_home_folder_holds_no_projects(home: Path) -> None:
    """Dotfiles kept in git at home do not make one project of everything below."""
    repository(home)
    folder = home / "notes"
    folder.mkdir()
    assert project_root(str(folder), home) == found(folder)


def test_an_agents_own_folder_is_no_project(home: Path) -> None:
    """A block in ~/.claude/CLAUDE.md would be loaded in every project."""
    folder = home / ".claude"
    folder.mkdir()
    assert ProjectFinder(home, [folder]).find(str(folder)).place is Place.HOME


def test_linked_worktree_folds_into_the_main_checkout(home: Path) -> None:
    """A worktree's sessions teach the main checkout; their paths lie under the worktree."""
    main = repository(home / "shop")
    linked = worktree(main, home / "shop-feature")
    (linked / "src").mkdir()
    assert project_root(str(linked / "src"), home) == found(main, linked)


def test_worktree_with_relative_gitdir(home: Path) -> None:
    """git 2.48 can write relative paths into a worktree's .git."""
    main = repository(home / "shop")
    linked = worktree(main, home / "trees/feature")
    (linked / ".git").write_text("gitdir: ../../shop/.git/worktrees/feature\n")
    assert project_root(str(linked), home) == found(main, linked)


def test_pruned_worktree_still_tells_its_main_checkout(home: Path) -> None:
    """The path in .git names the main checkout even after `git worktree prune` took its record away."""
    main = repository(home / "shop")
    linked = home / "old"
    linked.mkdir()
    (linked / ".git").write_text(f"gitdir: {main}/.git/worktrees/old\n")
    assert project_root(str(linked), home) == found(main, linked)


def test_worktree_of_a_bare_repository_is_its_own_project(home: Path) -> None:
    """A bare repository has no main checkout to fold into."""
    git_dir = home / "shop.git/worktrees/feature"
    git_dir.mkdir(parents=True)
    (git_dir / "commondir").write_text("../..\n")
    linked = home / "feature"
    linked.mkdir()
    (linked / ".git").write_text(f"gitdir: {git_dir}\n")
    assert project_root(str(linked), home) == found(linked)


def test_submodule_is_its_own_project(home: Path) -> None:
    """A submodule's .git file names a folder without commondir."""
    outer = repository(home / "shop")
    (outer / ".git/modules/lib").mkdir(parents=True)
    inner = outer / "lib"
    inner.mkdir()
    (inner / ".git").write_text("gitdir: ../.git/modules/lib\n")
    assert project_root(str(inner), home) == found(inner)


@pytest.mark.parametrize("content", [b"", b"gitdir:", b"\xff\xfe", b"gitdir: /nowhere/at/all\n", b"x" * 10_000])
def test_odd_git_file_still_marks_a_root(home: Path, content: bytes) -> None:
    """Whatever stands in .git, the folder that holds it is a root, and nothing raises."""
    folder = home / "odd"
    folder.mkdir()
    (folder / ".git").write_bytes(content)
    assert project_root(str(folder), home) == found(folder)


def test_deleted_subfolder_belongs_to_its_repository(home: Path) -> None:
    """A working directory that is gone belongs to the repository that held it and is still there."""
    root = repository(home / "shop")
    assert project_root(str(root / "tmp/gone"), home) == found(root)


def test_deleted_project_is_missing(home: Path) -> None:
    """A folder that is gone without a repository above it is nobody's; the home folder does not inherit it."""
    assert project_root(str(home / "work/gone"), home) == ProjectRoot(Place.MISSING)


@pytest.mark.parametrize("cwd", ["", "relative/path", "C:\\work\\shop", "/work\0shop"])
def test_what_is_no_absolute_path_is_unknown(home: Path, cwd: str) -> None:
    """A project is never guessed."""
    assert project_root(cwd, home) == ProjectRoot(Place.UNKNOWN)


def test_overlong_path_is_missing(home: Path) -> None:
    """A path that the system refuses to look at does not raise."""
    assert project_root(f"{home}/{'x' * 5000}", home).place is Place.MISSING


def test_symlinked_path_keeps_the_sessions_spelling(home: Path) -> None:
    """Two spellings of one folder are one project; paths of the session are under the spelling that it used."""
    root = repository(home / "real/shop")
    (home / "link").symlink_to(home / "real")
    assert project_root(str(home / "link/shop"), home) == found(root, home / "link/shop")


def test_finder_looks_once(home: Path) -> None:
    """Within a scan each folder is looked up once, so that the answer does not change in the middle."""
    finder = ProjectFinder(home)
    folder = home / "shop"
    folder.mkdir()
    before = finder.find(str(folder))
    folder.rmdir()
    assert finder.find(str(folder)) is before
