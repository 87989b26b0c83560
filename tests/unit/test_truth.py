"""Whether lessons hold in a project as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headroomd.model import Lesson, Section
from headroomd.truth import Truth, named_programs


def make(project: Path, *paths: str, text: str = "x\n") -> None:
    for path in paths:
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def paths(project: Path, wrong: str, right: str) -> str:
    return Truth(project).check(Lesson(Section.PATHS, wrong, right))


def command(project: Path, remedy: str, section: Section = Section.COMMANDS) -> str:
    return Truth(project).check(Lesson(section, "whatever", remedy))


def test_path_correction_holds_while_only_the_right_one_exists(tmp_path: Path) -> None:
    """Wrong path absent, right path there: the lesson holds."""
    make(tmp_path, "b/User.scala")
    assert paths(tmp_path, "a/User.java", "b/User.scala") == ""


def test_path_correction_ends_when_the_right_one_goes(tmp_path: Path) -> None:
    """A right path that is gone is not right."""
    assert paths(tmp_path, "a/User.java", "b/User.java") == "b/User.java is gone"


def test_path_correction_ends_when_the_wrong_one_comes(tmp_path: Path) -> None:
    """A file that was created where it was looked for was not a wrong guess."""
    make(tmp_path, "a/User.java", "b/User.java")
    assert paths(tmp_path, "a/User.java", "b/User.java") == "a/User.java exists now"


def test_ambiguous_name_needs_more_than_the_name(tmp_path: Path) -> None:
    """Where several files bear the name, sharing only the name proves nothing."""
    make(tmp_path, "b/config.py", "c/config.py")
    assert paths(tmp_path, "a/config.py", "b/config.py") == "2 files bear the name config.py"


def test_ambiguous_name_is_settled_by_a_longer_tail(tmp_path: Path) -> None:
    """The right path shares more of its end with the wrong one than any namesake does."""
    make(tmp_path, "services/api/src/index.ts", "services/web/src/index.ts")
    assert paths(tmp_path, "api/src/index.ts", "services/api/src/index.ts") == ""
    assert paths(tmp_path, "src/index.ts", "services/api/src/index.ts") != ""


def test_namesakes_in_generated_folders_do_not_count(tmp_path: Path) -> None:
    """node_modules is full of index.js."""
    make(tmp_path, "lib/index.js", "node_modules/left-pad/index.js", ".venv/x/index.js")
    assert paths(tmp_path, "src/index.js", "lib/index.js") == ""


@pytest.mark.parametrize("path", ["/etc/hosts", "../other/a.py", "~/a.py", "", "src/../../a.py"])
def test_what_points_out_of_the_project_is_not_true(tmp_path: Path, path: str) -> None:
    """No lesson is about the world outside, even where the path exists."""
    make(tmp_path, "src/a.py")
    assert paths(tmp_path, path, "src/a.py")
    assert Truth(tmp_path).check(Lesson(Section.SCOPE, path, "."))
    assert Truth(tmp_path).check(Lesson(Section.LARGE_FILES, path))


def test_search_scope_needs_both_folders(tmp_path: Path) -> None:
    """A scope lesson names two folders; both must be there."""
    make(tmp_path, "model/a.py")
    assert Truth(tmp_path).check(Lesson(Section.SCOPE, "model", ".")) == ""
    assert Truth(tmp_path).check(Lesson(Section.SCOPE, "models", ".")) == "models is gone"


@pytest.mark.parametrize(("text", "large"), [("x" * 30_000, True), ("x\n" * 2500, True), ("x\n" * 500, False)])
def test_large_file_must_still_be_large(tmp_path: Path, text: str, large: bool) -> None:
    """Large is what some agent refuses or cuts: many bytes or many lines."""
    make(tmp_path, "server.py", text=text)
    assert (Truth(tmp_path).check(Lesson(Section.LARGE_FILES, "server.py")) == "") is large


def test_line_count(tmp_path: Path) -> None:
    """Lines are counted for the wording, and None where there is no file."""
    make(tmp_path, "server.py", text="x\n" * 2500)
    truth = Truth(tmp_path)
    assert truth.line_count("server.py") == 2500
    assert truth.line_count("gone.py") is None


@pytest.mark.parametrize("runner", ["npm", "pnpm", "yarn", "bun"])
def test_node_script_must_still_be_there(tmp_path: Path, runner: str) -> None:
    """A script that is no longer in package.json cannot be run."""
    make(tmp_path, "web/package.json", text=json.dumps({"scripts": {"test:unit": "vitest"}}))
    assert command(tmp_path, f"cd web && {runner} run test:unit") == ""
    assert command(tmp_path, f"cd web && CI=1 {runner} run e2e") == "e2e is no longer a script in package.json"


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"scripts": 3}', '"x"', "null"])
def test_unreadable_package_json_disproves_nothing(tmp_path: Path, text: str) -> None:
    """What cannot be told holds."""
    make(tmp_path, "package.json", text=text)
    assert command(tmp_path, "npm run build") == ""


@pytest.mark.parametrize(
    ("makefile", "holds"),
    [
        ("check:\n\tpytest\n", True),
        (".PHONY: all\nall check: deps\n\tpytest\n", True),
        ("test:\n\tpytest\n", False),
        ("check := 3\n", False),
        ("include common.mk\n", True),
        ("%:\n\techo $@\n", True),
    ],
)
def test_make_target_must_still_be_there(tmp_path: Path, makefile: str, holds: bool) -> None:
    """A target is looked for at the start of a rule; rules from elsewhere may hold any."""
    make(tmp_path, "Makefile", text=makefile)
    assert (command(tmp_path, "make check") == "") is holds


def test_just_recipe_with_parameters(tmp_path: Path) -> None:
    """just writes parameters between the name and the colon."""
    make(tmp_path, "justfile", text="@test filter='':\n  pytest -k {{filter}}\n")
    assert command(tmp_path, "just test") == ""
    assert command(tmp_path, "just deploy") == "deploy is no longer a recipe of just"


def test_folder_of_a_command_must_be_there(tmp_path: Path) -> None:
    """`cd frontend && ...` holds as long as frontend does."""
    make(tmp_path, "frontend/x")
    assert command(tmp_path, "cd frontend && npm test") == ""
    assert command(tmp_path, "cd backend && npm test") == "backend is gone"
    assert command(tmp_path, "cd .. && npm test") == "it points out of the project"


def test_program_in_the_project_must_be_there(tmp_path: Path) -> None:
    """A script of the project that is gone cannot be run; one in a folder that tools fill may come back."""
    make(tmp_path, "gradlew")
    assert command(tmp_path, "./gradlew", Section.ENVIRONMENT) == ""
    assert command(tmp_path, "bin/rails", Section.ENVIRONMENT) == "bin/rails is gone"
    assert command(tmp_path, ".venv/bin/python", Section.ENVIRONMENT) == ""


@pytest.mark.parametrize(
    "remedy", ["echo 'unclosed", "", "uv run python", "a && && b", "cat <<EOF\nx\nEOF", "make -j8"]
)
def test_commands_that_tell_nothing_hold(tmp_path: Path, remedy: str) -> None:
    """Only a fact disproves a lesson."""
    make(tmp_path, "Makefile", text="all:\n")
    assert command(tmp_path, remedy) == ""


def test_permissions_and_preferences_hold(tmp_path: Path) -> None:
    """The disk says nothing about what a user wants."""
    assert Truth(tmp_path).check(Lesson(Section.PERMISSIONS, "git push")) == ""


def test_a_moved_folder_holds_while_nothing_is_left_in_it(tmp_path: Path) -> None:
    """The new folder is there, and the old one is gone or empty."""
    make(tmp_path, "lib/deep/x.py")
    assert paths(tmp_path, "src/", "lib/") == ""
    (tmp_path / "src/deep").mkdir(parents=True)
    assert paths(tmp_path, "src/", "lib/") == ""
    make(tmp_path, "src/other.py")
    assert paths(tmp_path, "src/", "lib/") == "src/ holds files"
    assert paths(tmp_path, "src/", "app/") == "app/ is gone"


def test_python_runner_needs_a_script_or_a_program(tmp_path: Path) -> None:
    """`uv run x` holds while pyproject.toml names x or the environment has it, and where nobody can tell."""
    make(tmp_path, "pyproject.toml", text='[project.scripts]\nserve = "shop:serve"\n')
    assert command(tmp_path, "uv run no-such-tool") == ""
    make(tmp_path, ".venv/bin/tool-of-ours")
    assert command(tmp_path, "uv run serve") == ""
    assert command(tmp_path, "poetry run tool-of-ours") == ""
    assert command(tmp_path, "uv run --frozen no-such-tool") == ""
    assert command(tmp_path, "uv run no-such-tool") == "no-such-tool is neither in pyproject.toml nor in .venv/bin"


def test_programs_that_a_lesson_names() -> None:
    """The first words of its commands, where they are looked up on PATH."""
    lesson = Lesson(Section.ENVIRONMENT, "python3 -m x", "cd web && A=1 uv run python")
    assert named_programs(lesson) == ("python3", "uv")
    assert named_programs(Lesson(Section.COMMANDS, "./gradlew test", "cd app && ./gradlew test")) == ()
    assert named_programs(Lesson(Section.PATHS, "a", "b")) == ()


def test_the_home_folder_is_looked_through_only_where_the_paths_lead(tmp_path: Path) -> None:
    """Files of the same name elsewhere count in a project, and are not looked for in the home folder."""
    make(tmp_path, "docs/user.py", "other/user.py")
    lesson = Lesson(Section.PATHS, "notes/user.py", "docs/user.py")
    assert "2 files bear the name" in Truth(tmp_path).check(lesson)
    assert Truth(tmp_path, home=tmp_path).check(lesson) == ""
    make(tmp_path, "docs/old/user.py")
    assert "2 files bear the name" in Truth(tmp_path, home=tmp_path).check(lesson)
