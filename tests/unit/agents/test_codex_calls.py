"""What Codex's calls meant, whatever the tool was called in which version."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.agents.codex_calls import asked_of, command_of, resolve
from headroomd.model import Action, Operation

ADD = "*** Begin Patch\n*** Add File: src/new.py\n+x\n*** End Patch\n"
UPDATE = "*** Begin Patch\n*** Update File: src/old.py\n@@\n-a\n+b\n*** End Patch\n"


def run(command: str) -> Operation:
    return Operation(Action.RUN, command=command)


@pytest.mark.parametrize(
    ("tool", "arguments", "operation"),
    [
        ("shell", {"command": ["bash", "-lc", "ls | wc -l"]}, run("ls | wc -l")),
        ("shell", {"command": ["/usr/bin/zsh", "-c", "ls"]}, run("ls")),
        ("shell", {"command": ["powershell.exe", "-NoProfile", "-Command", "dir"]}, run("dir")),
        ("shell", {"command": ["git", "commit", "-m", "two words"]}, run("git commit -m 'two words'")),
        ("shell", {"command": ["python", "-c", "print(1)"]}, run("python -c 'print(1)'")),
        ("shell", {"command": ["apply_patch", UPDATE]}, Operation(Action.EDIT, path="src/old.py")),
        ("shell_command", {"command": "npm test"}, run("npm test")),
        ("exec_command", {"cmd": "rg -n x"}, run("rg -n x")),
        ("local_shell", {"type": "exec", "command": ["bash", "-lc", "ls"]}, run("ls")),
        ("exec_command", {"cmd": f"apply_patch <<'EOF'\n{ADD}EOF"}, Operation(Action.WRITE, path="src/new.py")),
        ("exec_command", {"cmd": f"apply_patch <<'EOF'\n{UPDATE}EOF"}, Operation(Action.EDIT, path="src/old.py")),
        ("exec_command", {"cmd": f"cat > notes <<'EOF'\n{ADD}EOF"}, run(f"cat > notes <<'EOF'\n{ADD}EOF")),
        ("apply_patch", {"input": ADD}, Operation(Action.WRITE, path="src/new.py")),
        ("view_image", {"path": "a.png"}, Operation(Action.READ, path="a.png")),
        ("update_plan", {"plan": []}, Operation(Action.OTHER)),
        ("mcp__ci__run", {"command": "make"}, Operation(Action.OTHER)),
        ("exec_command", {"cmdx": "ls"}, run("")),
    ],
)
def test_operations(tool: str, arguments: dict[str, object], operation: Operation) -> None:
    """Each tool of each version becomes the operation that it stands for."""
    assert asked_of(tool, json.dumps(arguments)).operation == operation


def test_custom_tools() -> None:
    """A custom tool's input is plain: a patch is read, a script of code mode tells nothing for sure."""
    assert asked_of("apply_patch", ADD).operation == Operation(Action.WRITE, path="src/new.py")
    assert asked_of("exec", "await tools.exec_command({cmd:'ls'})").operation == Operation(Action.OTHER)


def test_patch_of_many_files() -> None:
    """A patch of several files is an edit of the first."""
    both = ADD.replace("*** End Patch\n", "") + UPDATE.replace("*** Begin Patch\n", "")
    assert asked_of("apply_patch", both).operation == Operation(Action.EDIT, path="src/new.py")


def test_patch_after_cd() -> None:
    """`cd folder && apply_patch` patches below that folder."""
    asked = asked_of(
        "exec_command", json.dumps({"cmd": f"cd 'my app' && apply_patch <<'EOF'\n{ADD}EOF", "workdir": "w"})
    )
    assert (asked.operation.path, asked.workdir) == ("src/new.py", "w/my app")


def test_escalation_and_limits() -> None:
    """Whether the user is asked, and whether the agent itself asked for little output, is known."""
    assert asked_of("exec_command", '{"cmd":"x","sandbox_permissions":"require_escalated"}').escalated
    assert asked_of("shell", '{"command":["x"],"with_escalated_permissions":true}').escalated
    assert not asked_of("exec_command", '{"cmd":"x"}').escalated
    assert asked_of("exec_command", '{"cmd":"x","max_output_tokens":200}').own_limit
    assert not asked_of("exec_command", '{"cmd":"x","max_output_tokens":50000}').own_limit


@pytest.mark.parametrize(
    ("cwd", "workdir", "resolved"),
    [
        ("/p", "", "/p"),
        ("/p", "a/../b", "/p/b"),
        ("/p", "/q/", "/q"),
        ("", "a", ""),
        ("/p", "C:\\work", "C:\\work"),
    ],
)
def test_workdir(cwd: str, workdir: str, resolved: str) -> None:
    """A call's folder is its `workdir`, below the turn's folder unless it is absolute."""
    assert resolve(cwd, workdir) == resolved


@given(
    st.sampled_from(["shell", "exec_command", "apply_patch", "write_stdin", "view_image", "x"]),
    st.text()
    | st.dictionaries(
        st.sampled_from(["cmd", "command", "workdir", "session_id", "chars", "path"]),
        st.none() | st.integers() | st.text() | st.lists(st.text() | st.none()),
    ).map(json.dumps),
)
def test_any_arguments(tool: str, arguments: str) -> None:
    """A model may write anything for arguments: it is taken for what it can be taken for."""
    assert asked_of(tool, arguments).operation.action in Action


def test_command_of_nothing() -> None:
    """What is no command is no text."""
    assert command_of(None) == ""
    assert command_of([1, "ls"]) == "ls"
