"""Shell text: which commands it runs, where, and which of them its exit status speaks of."""

from __future__ import annotations

import shlex
import string

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headroomd.shell import LENGTH_LIMIT, Command, Script, deciders, parse, proven, unwrap


def shown(command: Command) -> str:
    """A command in one line: its words, after "folder:" where it does not run at the start."""
    words = " ".join(command.argv)
    return f"{command.folder}: {words}" if command.folder else words


def words(commands: tuple[Command, ...]) -> list[str]:
    return [" ".join(command.argv) for command in commands]


# text, commands in order ("folder: words"), indices of the deciders, indices of the proven
REAL_LIFE: list[tuple[str, list[str], list[int], list[int]]] = [
    ("npm test", ["npm test"], [0], [0]),
    ("pytest tests/unit/test_x.py -q", ["pytest tests/unit/test_x.py -q"], [0], [0]),
    ("git commit -m 'fix: a; b && c'", ["git commit -m fix: a; b && c"], [0], [0]),
    ("a && b && c", ["a", "b", "c"], [0, 1, 2], [0, 1, 2]),
    ("a; b; c", ["a", "b", "c"], [2], [2]),
    ("a\nb\nc\n", ["a", "b", "c"], [2], [2]),
    ("a || b", ["a", "b"], [1], []),
    ("a | b", ["a", "b"], [1], [1]),
    ("a |& b", ["a", "b"], [1], [1]),
    ("set -o pipefail; a | b", ["set -o pipefail", "a", "b"], [1, 2], [1, 2]),
    ("a || true", ["a", "true"], [], []),
    ("a || :", ["a", ":"], [], []),
    ("a || echo failed", ["a", "echo failed"], [], []),
    ("a; true", ["a", "true"], [], [1]),
    ("a; echo done", ["a", "echo done"], [], [1]),
    ("a && echo done", ["a", "echo done"], [0], [0, 1]),
    ("! a", ["a"], [], []),
    ("! a | b", ["a", "b"], [], []),
    ("! a && b", ["a", "b"], [1], [1]),
    ("a &", ["a"], [], []),
    ("a & b", ["a", "b"], [1], [1]),
    ("a && b &", ["a", "b"], [], []),
    (
        "npm run dev > /tmp/dev.log 2>&1 &\nsleep 3\ncurl localhost",
        ["npm run dev", "sleep 3", "curl localhost"],
        [2],
        [2],
    ),
    ("a && b || c", ["a", "b", "c"], [2], []),
    ("a && b || c && d", ["a", "b", "c", "d"], [2, 3], [3]),
    ("a || b && c", ["a", "b", "c"], [1, 2], [2]),
    ("a; b && c", ["a", "b", "c"], [1, 2], [1, 2]),
    ("a && b; c", ["a", "b", "c"], [2], [2]),
    ("a | b && c", ["a", "b", "c"], [1, 2], [1, 2]),
    ("a && b | c", ["a", "b", "c"], [0, 2], [0, 2]),
    ("cd web && npm test", ["cd web", "web: npm test"], [0, 1], [0, 1]),
    ("cd web && npm test 2>&1 | tail -5", ["cd web", "web: npm test", "web: tail -5"], [0, 2], [0, 2]),
    ("cd web; npm test", ["cd web", "web: npm test"], [1], [1]),
    ("cd web || exit 1; npm test", ["cd web", "web: exit 1", "web: npm test"], [0, 2], [0, 2]),
    ("cd web || { echo no; exit 1; }\nmake", ["cd web", "web: echo no", "web: exit 1", "web: make"], [0, 3], [0, 3]),
    ("cd a && cd b && make", ["cd a", "a: cd b", "a/b: make"], [0, 1, 2], [0, 1, 2]),
    ("cd a && cd .. && make", ["cd a", "a: cd ..", "make"], [0, 1, 2], [0, 1, 2]),
    ("cd .. && make", ["cd ..", "..: make"], [0, 1], [0, 1]),
    ("cd ../x/y && make", ["cd ../x/y", "../x/y: make"], [0, 1], [0, 1]),
    ("cd /srv/app/ && make", ["cd /srv/app/", "/srv/app: make"], [0, 1], [0, 1]),
    ("cd /srv && cd app && make", ["cd /srv", "/srv: cd app", "/srv/app: make"], [0, 1, 2], [0, 1, 2]),
    ('cd "my app" && make', ["cd my app", "my app: make"], [0, 1], [0, 1]),
    ('cd "$ROOT" && make', ["cd $ROOT", "?: make"], [0, 1], [0, 1]),
    ("cd $(git rev-parse --show-toplevel) && make", ["cd $(git rev-parse --show-toplevel)", "?: make"], [0, 1], [0, 1]),
    ("cd - && make", ["cd -", "?: make"], [0, 1], [0, 1]),
    ("cd && make", ["cd", "?: make"], [0, 1], [0, 1]),
    ("cd ~/x && make", ["cd ~/x", "?: make"], [0, 1], [0, 1]),
    ("cd $X && cd /srv && make", ["cd $X", "?: cd /srv", "/srv: make"], [0, 1, 2], [0, 1, 2]),
    ("(cd web && npm ci) && make", ["cd web", "web: npm ci", "make"], [0, 1, 2], [0, 1, 2]),
    ("(cd web; npm ci); make", ["cd web", "web: npm ci", "make"], [2], [2]),
    ("{ cd web; npm ci; }; make", ["cd web", "web: npm ci", "web: make"], [2], [2]),
    ("cd web | cat; make", ["cd web", "cat", "make"], [2], [2]),
    ("pushd web && make; popd; ls", ["pushd web", "web: make", "web: popd", "ls"], [3], [3]),
    ("pushd web >/dev/null && make && popd", ["pushd web", "web: make", "web: popd"], [0, 1, 2], [0, 1, 2]),
    ("cd a || cd b; make", ["cd a", "a: cd b", "?: make"], [2], [2]),
    ("bash -lc 'cd web && npm test'", ["cd web", "web: npm test"], [0, 1], [0, 1]),
    ('bash -lc "npm test | tail -5"', ["npm test", "tail -5"], [1], [1]),
    ("/bin/sh -c 'a; b'", ["a", "b"], [1], [1]),
    ("bash -euo pipefail -c 'a; b | c'", ["a", "b", "c"], [0, 1, 2], [0, 1, 2]),
    ("cd x && bash -c 'cd y && make' && ls", ["cd x", "x: cd y", "x/y: make", "x: ls"], [0, 1, 2, 3], [0, 1, 2, 3]),
    ("timeout 60 bash -c 'make test'", ["make test"], [0], [0]),
    ("sh -c \"sh -c 'sh -c make'\"", ["make"], [0], [0]),
    ("eval 'cd web' && make", ["cd web", "web: make"], [0, 1], [0, 1]),
    ("sudo bash -c 'apt-get update'", ["sudo bash -c apt-get update"], [0], [0]),
    ("bash script.sh -c x", ["bash script.sh -c x"], [0], [0]),
    ("bash <<'EOF'\ncd web\nmake\nEOF", ["cd web", "web: make"], [1], [1]),
    ("set -e\na\nb\nc", ["set -e", "a", "b", "c"], [0, 1, 2, 3], [0, 1, 2, 3]),
    ("set -e; a || true; b", ["set -e", "a", "true", "b"], [0, 3], [0, 3]),
    ("set -e; a; set +e; b; c", ["set -e", "a", "set +e", "b", "c"], [0, 1, 4], [0, 1, 4]),
    ("python3 - <<'PY'\nimport os\nPY", ["python3 -"], [0], [0]),
    ("python3 - <<'PY' 2>&1 | tail -3\nimport os\nPY", ["python3 -", "tail -3"], [1], [1]),
    ("cat - <<-EOF 2>/dev/null >> x.log | b && c\n\tx\n\tEOF\nd", ["cat -", "b", "c", "d"], [3], [3]),
    ("cat > a.txt <<EOF && b\nx\nEOF\nc", ["cat", "b", "c"], [2], [2]),
    ("grep -rn 'foo bar' src | head -20", ["grep -rn foo bar src", "head -20"], [1], [1]),
    ("find . -name '*.py' -exec grep -l x {} \\;", ["find . -name *.py -exec grep -l x {} ;"], [0], [0]),
    ("ls | xargs -I{} sh -c 'echo {}'", ["ls", "xargs -I{} sh -c echo {}"], [1], [1]),
    ("[ -f a ] && make", ["[ -f a ]", "make"], [0, 1], [0, 1]),
    ('[[ "$a" == b* ]] || make', ["[[ $a == b* ]]", "make"], [1], []),
    ("cmd > out extra 2>&1", ["cmd extra"], [0], [0]),
    ("> out", [], [], []),
    ("echo $(date) \\\n  more", ["echo $(date) more"], [], [0]),
    ("# nothing\n", [], [], []),
    ("", [], [], []),
    ("X=1", [], [], []),
    ("a # then b", ["a"], [0], [0]),
    ('"$HOME"/bin/x a\\ b "c\\"d" e\'f\'"g"', ['$HOME/bin/x a b c"d efg'], [0], [0]),
    ("exit 1", ["exit 1"], [], []),
    ("a; exit $?", ["a", "exit $?"], [], []),
    ("a || exit 0; b", ["a", "exit 0", "b"], [2], []),
    ("C:\\tools\\x.exe -a & dir", ["C:\\tools\\x.exe -a", "dir"], [1], [1]),
    ("cd /d C:\\app && dir", ["cd /d C:\\app", "C:\\app: dir"], [0, 1], [0, 1]),
]


@pytest.mark.parametrize(("text", "commands", "deciding", "proving"), REAL_LIFE, ids=[row[0] for row in REAL_LIFE])
def test_real_life(text: str, commands: list[str], deciding: list[int], proving: list[int]) -> None:
    """What runs where, what a failure of the whole may mean, and what its success proves."""
    script = parse(text)
    assert [shown(command) for command in script.commands] == commands
    assert deciders(script) == tuple(script.commands[at] for at in deciding)
    assert proven(script) == tuple(script.commands[at] for at in proving)
    assert not script.broken
    assert not script.compound


@pytest.mark.parametrize(
    ("text", "commands", "deciding"),
    [
        ("if a; then b; else c; fi", ["a", "b", "c"], ["b", "c"]),
        ("if a; then b; elif c; then d; fi", ["a", "b", "c", "d"], ["b", "d"]),
        ("for f in *.py; do cd x; a $f; done", ["cd x", "x: a $f"], ["a $f"]),
        ("while read l; do a; done < in", ["read l", "a"], ["a"]),
        ("case $x in a) b;; *) c; d;; esac", ["b", "c", "d"], ["b", "d"]),
        ("f() { a; }; f", ["f"], ["f"]),
        ("for d in a b; do (cd $d && make); done; ls", ["cd $d", "?: make", "ls"], ["ls"]),
        ("if a; then cd x; fi; make", ["a", "cd x", "?: make"], ["make"]),
        ("a | while read x; do b; done", ["a", "read x", "b"], ["b"]),
        ("X=$(a) && b", ["b"], ["b"]),
    ],
)
def test_control_flow_is_marked(text: str, commands: list[str], deciding: list[str]) -> None:
    """Bodies are flattened, and that the status is not plain is said."""
    script = parse(text)
    assert [shown(command) for command in script.commands] == commands
    assert words(deciders(script)) == deciding
    assert script.compound


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("FOO=1 BAR=2 make", ("FOO", "BAR")),
        ("export FOO=1; make", ("FOO",)),
        ("export FOO; make", ("FOO",)),
        ("FOO=1; make", ("FOO",)),
        ("env FOO=1 make", ("FOO",)),
        ("sudo FOO=1 make", ("FOO",)),
        ("(FOO=1); make", ()),
        ("export FOO=1; unset FOO; make", ()),
        ("A=1; B=2 true; make", ("A",)),
        ("declare -x FOO=1; make", ("FOO",)),
        ("arr[0]=x; make", ("arr",)),
        ("FOO+=x make", ("FOO",)),
        ("FOO=1 bash -c make", ("FOO",)),
        ("$env:FOO = 'x'; make", ("FOO",)),
    ],
)
def test_names_of_variables_are_kept(text: str, variables: tuple[str, ...]) -> None:
    """The last command knows which variables were set for it, by name."""
    assert parse(text).commands[-1].variables == variables


def test_redirections_and_heredocs() -> None:
    """Files written and read are told apart from descriptors, and a heredoc's text is at hand."""
    (command,) = parse("sort -u < in.txt > out.txt 2>> err.log 2>&1").commands
    assert (command.reads, command.writes, command.heredoc) == (("in.txt",), ("out.txt", "err.log"), "")
    (command,) = parse("a <<< 'x y' > out").commands
    assert (command.reads, command.writes, command.heredoc) == ((), ("out",), "x y")
    (command,) = parse("a > /dev/null 2>&1 &> /dev/null < /dev/null").commands
    assert (command.reads, command.writes) == ((), ())
    first, second = parse("cat <<'EOF' | b > out\nA=$x\nEOF\n").commands
    assert (first.heredoc, first.writes, second.writes) == ("A=$x\n", (), ("out",))
    (command,) = parse(f"cat <<'EOF'\n{'x' * 9000}\nEOF").commands
    assert len(command.heredoc) == 4000


def test_connectors_and_flags() -> None:
    """Each command knows what stands before it and in which way it runs."""
    script = parse("a && b || c | d |& e; f & ! g\nh")
    assert [command.connector for command in script.commands] == ["", "&&", "||", "|", "|&", ";", "&", ";"]
    assert [command.background for command in script.commands] == [False] * 5 + [True, False, False]
    assert [command.negated for command in script.commands] == [False] * 6 + [True, False]


@pytest.mark.parametrize(
    ("text", "dynamic"),
    [
        ("$CMD x", True),
        ('"${PY}" x', True),
        ("$(which a) x", True),
        ("`a` x", True),
        ("$HOME/bin/a x", False),
        ("a $x", False),
    ],
)
def test_dynamic_programs(text: str, dynamic: bool) -> None:
    """A program whose name is known only when it runs is marked."""
    assert parse(text).commands[0].dynamic is dynamic


def test_source_is_single_spaced_and_without_redirections() -> None:
    """What is shown of a command is its own text."""
    (command,) = parse("FOO=1   npm   run 'a  b' \\\n  --x  > out 2>&1").commands
    assert command.source == "npm run 'a b' --x"


def test_flags_of_the_script() -> None:
    """pipefail, substitutions and syntax errors are facts of the whole."""
    assert parse("set -euo pipefail; a").pipefail
    assert not parse("a").pipefail
    assert parse("a $(b)").has_substitution
    assert parse("X=`b`").has_substitution
    assert not parse("a '$(b)'").has_substitution
    assert parse("a && 'unterminated").broken
    assert parse("if a; then").broken
    assert parse("(").broken


def test_only_the_head_of_a_long_text_is_read() -> None:
    """Work is bounded, and that something was cut is said."""
    script = parse("a;\n" * LENGTH_LIMIT)
    assert script.broken
    assert 0 < len(script.commands) <= LENGTH_LIMIT


@pytest.mark.parametrize(
    ("argv", "prefix", "inner"),
    [
        ("npm test", "", "npm test"),
        ("sudo -u bob -E make", "sudo -u bob -E", "make"),
        ("env FOO=1 BAR=2 make", "env FOO BAR", "make"),
        ("env -u X FOO=1 make", "env -u X FOO", "make"),
        ("/usr/bin/env python3 a.py", "/usr/bin/env", "python3 a.py"),
        ("time -p make", "time -p", "make"),
        ("nohup nice -n 5 make -j4", "nohup nice -n 5", "make -j4"),
        ("timeout -k 5 --signal=KILL 60s make", "timeout -k 5 --signal=KILL 60s", "make"),
        ("stdbuf -oL make", "stdbuf -oL", "make"),
        ("command make", "command", "make"),
        ("command -v make", "", "command -v make"),
        ("exec -a x make", "exec -a x", "make"),
        ("sudo -- make", "sudo --", "make"),
        ("xargs make", "", "xargs make"),
        ("env", "", "env"),
        ("timeout 5", "", "timeout 5"),
        ("sudo -l", "", "sudo -l"),
        ("", "", ""),
    ],
)
def test_unwrap(argv: str, prefix: str, inner: str) -> None:
    """Wrappers that do not change what a command means are told apart from what they run."""
    assert unwrap(argv.split()) == (tuple(prefix.split()), tuple(inner.split()))


@pytest.mark.parametrize(
    "text",
    [
        'Get-ChildItem -Path "C:\\x y" | Where-Object { $_.Length -gt 1mb } | Select-Object -First 3',
        "$env:PATH += ';C:\\x'; & 'C:\\Program Files\\x.exe' /a",
        'if exist a.txt (type a.txt) else (echo "no")',
        "dir /s /b *.py | findstr /i test & set X=1",
        "foreach ($f in Get-ChildItem) { Write-Output $f.Name }",
        "@'\nheredoc\n'@ | python -",
    ],
)
def test_other_shells_do_not_raise(text: str) -> None:
    """PowerShell and cmd.exe come out as far as they look like bash."""
    assert isinstance(parse(text), Script)


SECRET = st.text(
    alphabet=string.ascii_letters + string.digits + "!@#%^*_+=./:- '\"$`\\&|;()", min_size=6, max_size=30
).map(lambda text: "Zq9" + text + "9qZ")


@settings(max_examples=60, deadline=None)
@given(
    SECRET,
    st.sampled_from(
        [
            "NAME={} cmd",
            "A=1 NAME={} B=2 cmd x",
            "export NAME={}; cmd",
            "export NAME={} && cmd",
            "NAME={}; cmd $NAME",
            "NAME+={} cmd",
            "env NAME={} cmd",
            "env -i NAME={} cmd",
            "sudo NAME={} cmd",
            "sudo env NAME={} cmd",
            "env NAME={}",
            "npx cross-env NAME={} cmd",
            "docker run -e NAME={} image",
            "docker run --env NAME={} image",
            "docker run --env=NAME={} image",
            "docker build --build-arg NAME={} .",
            "docker exec app env NAME={} cmd",
            "xargs env NAME={} cmd",
            "declare -x NAME={}; cmd",
            "readonly NAME={}",
            "local NAME={}",
            "set NAME={}",
            "cmd $(NAME={} inner)",
            'cmd "$(export NAME={}; inner)"',
            "cmd <(NAME={} inner)",
            'FOO=bar BAZ="$(NAME={} x)" cmd',
            "if NAME={} a; then NAME={} b; fi",
            "(NAME={} cmd) && cmd",
            "cmd ${{NAME:={}}}",
            "arr=({} b); cmd",
            "NAME={} cmd > out | NAME={} b &",
        ]
    ),
)
def test_values_of_assignments_are_in_no_field(secret: str, context: str) -> None:
    """The name of a variable reaches a result, its value never does."""
    text = context.format(*[shlex.quote(secret)] * context.count("{}"))
    kept = msgspec.json.encode(parse(text)).decode()
    assert "Zq9" not in kept
    assert "9qZ" not in kept


@pytest.mark.parametrize(
    "wrapper", ["bash -c {}", "bash -lc {}", "timeout 5 sh -c {}", "ssh host {}", "eval {}", "docker exec app sh -c {}"]
)
@settings(max_examples=20, deadline=None)
@given(value=st.text(alphabet=string.ascii_letters + string.digits + "_/.:-", min_size=3, max_size=20))
def test_values_inside_of_quoted_scripts_are_in_no_field(wrapper: str, value: str) -> None:
    """A script in quotes, run here or elsewhere, gives its values away as little."""
    for inner in (f"NAME=Zq9{value} cmd", f"export NAME='Zq9{value}'; cmd", f'cd x && NAME="Zq9{value}" cmd'):
        assert "Zq9" not in msgspec.json.encode(parse(wrapper.format(shlex.quote(inner)))).decode()


@settings(max_examples=400, deadline=None)
@given(st.text() | st.text(alphabet="ab $()[]{}|&;<>'\"`\\\n=#!-~*", max_size=120))
def test_parse_never_raises(text: str) -> None:
    """Any text is read, and what comes of it is consistent."""
    script = parse(text)
    assert set(deciders(script)) <= set(script.commands)
    assert set(proven(script)) <= set(script.commands)
    for command in script.commands:
        assert command.argv
        unwrap(command.argv)


@pytest.mark.parametrize(
    "piece", ["(", "$(", '"$(', "${a:-", "{ ", "if a; then ", "[[ ( ", "<<A ", "a && ", "a | ", "eval ", "`"]
)
def test_deep_nesting_neither_raises_nor_hangs(piece: str) -> None:
    """Thousands of brackets are broken text, not an error."""
    assert isinstance(parse(piece * 2000), Script)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12), min_size=1, max_size=6
    )
)
def test_quoted_words_come_back(arguments: list[str]) -> None:
    """What shlex quotes, parse gives back."""
    script = parse("program " + shlex.join(arguments))
    assert script.commands[0].argv == ("program", *arguments)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["a", "b/c", "..", ".", "my dir"]), min_size=1, max_size=5))
def test_folders_add_up_and_end_with_their_subshell(folders: list[str]) -> None:
    """A subshell's folder is its own."""
    chain = " && ".join(f"cd {shlex.quote(folder)}" for folder in folders)
    plain, scoped = parse(f"{chain} && pwd"), parse(f"({chain} && pwd) && pwd")
    assert scoped.commands[-2].folder == plain.commands[-1].folder
    assert scoped.commands[-1].folder == ""


def test_a_heredoc_left_open_is_forgotten() -> None:
    """What one text leaves unfinished does not change how the next is understood."""
    for unfinished in ("cat <<", "cat <<'PY'", "cat <<-PY\nimport", "$(cat <<X\n", "cat <<A <<B\na"):
        parse(unfinished)
        [command] = parse(f"python3 - <<'PY'\nimport {len(unfinished)}\nPY").commands
        assert command.heredoc == f"import {len(unfinished)}\n"
