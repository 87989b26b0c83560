"""Why a call failed, told from its text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.correlation.kinds import cause_of, telling_lines
from headroomd.model import FailureKind as Kind


@pytest.mark.parametrize(
    ("text", "kind", "detail"),
    [
        ("ModuleNotFoundError: No module named 'fastgrid'", Kind.MODULE_NOT_FOUND, "fastgrid"),
        ("/usr/bin/python: No module named pytest", Kind.MODULE_NOT_FOUND, "pytest"),
        ("Error: Cannot find module 'express'\nRequire stack:", Kind.MODULE_NOT_FOUND, "express"),
        ("cannot load such file -- rails/all (LoadError)", Kind.MODULE_NOT_FOUND, "rails/all"),
        ("Can't locate Moose/Role.pm in @INC", Kind.MODULE_NOT_FOUND, "Moose/Role"),
        ("Error: Could not find or load main class shop.Main", Kind.MODULE_NOT_FOUND, "shop.Main"),
        ("there is no package called ‘dplyr’", Kind.MODULE_NOT_FOUND, "dplyr"),
        ("Cannot find module 'a b; rm -rf /'", Kind.MODULE_NOT_FOUND, ""),
        ("bash: line 4: kustomize: command not found", Kind.COMMAND_NOT_FOUND, "kustomize"),
        ("sh: 1: vite: not found", Kind.COMMAND_NOT_FOUND, "vite"),
        ("zsh: command not found: gradle", Kind.COMMAND_NOT_FOUND, "gradle"),
        ("make: cmake: No such file or directory", Kind.COMMAND_NOT_FOUND, "cmake"),
        ("'vite' is not recognized as an internal or external command", Kind.COMMAND_NOT_FOUND, "vite"),
        ('exec: "dlv": executable file not found in $PATH', Kind.COMMAND_NOT_FOUND, "dlv"),
        ("cat: a.txt: No such file or directory", Kind.FILE_NOT_FOUND, ""),
        ("File does not exist. Note: your current working directory is /x.", Kind.FILE_NOT_FOUND, ""),
        ("fatal: not a git repository (or any of the parent directories): .git", Kind.NOT_A_REPOSITORY, ""),
        ("curl: (7) Failed to connect to localhost port 80: Connection refused", Kind.NETWORK, ""),
        ("npm error code ENOTFOUND", Kind.NETWORK, ""),
        ("Command timed out after 120s", Kind.TIMEOUT, ""),
        ("bash: -c: line 1: syntax error near unexpected token `('", Kind.SYNTAX, ""),
        ("open /etc/shadow: permission denied", Kind.PERMISSION, ""),
        ("File content (11013 tokens) exceeds maximum allowed tokens (10000).", Kind.TOO_LARGE, ""),
        ("FAILED (failures=1)", Kind.TEST_FAILURE, ""),
        ("Tests:       1 failed, 3 passed, 4 total", Kind.TEST_FAILURE, ""),
        ("--- FAIL: TestCart (0.00s)", Kind.TEST_FAILURE, ""),
        ("2 tests, 1 failure", Kind.TEST_FAILURE, ""),
        ("no configuration file provided: not found", Kind.OTHER, ""),
        ("something went wrong", Kind.OTHER, ""),
        ("", Kind.OTHER, ""),
    ],
)
def test_kind_and_detail(text, kind, detail):
    """Messages of many tools, and what they name if it is an identifier."""
    cause = cause_of(text, 1)
    assert (cause.kind, cause.detail) == (kind, detail)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (127, "whatever", Kind.COMMAND_NOT_FOUND),
        (9009, "", Kind.COMMAND_NOT_FOUND),
        (126, "", Kind.PERMISSION),
        (124, "", Kind.TIMEOUT),
        (143, "Command timed out after 1s", Kind.TIMEOUT),
        (143, "", Kind.HARNESS),
        (130, "FAILED (failures=1)", Kind.HARNESS),
    ],
)
def test_exit_codes_come_first(code, text, kind):
    """A code says the same in every language."""
    assert cause_of(text, code).kind is kind


def test_kind_settled_by_the_reader():
    """What an agent's own fixed wording settles is not asked again."""
    assert cause_of("No such file or directory", 1, Kind.GUARD).kind is Kind.GUARD


def test_suite_that_cannot_be_imported_is_not_red():
    """A missing module is the cause where the runner also reports failures."""
    assert cause_of("ImportError: No module named 'fastgrid'\nFAILED (errors=1)", 1).kind is Kind.MODULE_NOT_FOUND


def test_tests_that_cannot_connect_are_not_red():
    """A service that is down is the cause where tests fail for it."""
    assert cause_of("ECONNREFUSED 127.0.0.1:5432\n4 failed", 1).kind is Kind.NETWORK


@pytest.mark.parametrize(
    "text",
    [
        'npm error Missing script: "build"',
        "error: could not find `Cargo.toml` in `/x` or any parent directory",
        "make: *** No rule to make target 'x'.  Stop.",
        "Error: No configuration files",
        'error Command "build" not found.',
        "docker: 'compose' is not a docker command.",
        "error: No justfile found",
        "Error: Chart.yaml file is missing",
        "Task 'x' not found in root project",
    ],
)
def test_absence(text):
    """A tool that did not find what it works on says so in its own way."""
    assert cause_of(text, 1).absence


@pytest.mark.parametrize(
    "text",
    [
        "src/a.ts:3:7 - error TS2304: Cannot find name 'total'.",
        "Cart.java:10: error: cannot find symbol",
        "src/a.ts(3,7): error TS2307: missing file",
        " --> src/main.rs:4:5\n  | unknown command",
    ],
)
def test_messages_about_code(text):
    """A message that points into a source line is about the work."""
    cause = cause_of(text, 1)
    assert (cause.in_code, cause.absence) == (True, False)


def test_telling_lines_are_the_last():
    """Banners come first, causes last; colours and empty frames say nothing."""
    text = (
        "== banner ==\n" + "noise\n" * 100 + "\x1b[31mboom\x1b[0m\n----\n\nProcess Group PGID: 3\n</untrusted_context>"
    )
    assert telling_lines(text, 40).splitlines()[-2:] == ["noise", "boom"]
    assert len(telling_lines("x" * 1000, 40)) == 40


@given(st.text(), st.none() | st.integers(-5, 300))
def test_any_text_has_a_cause(text, code):
    """Nothing that a command prints makes the classification raise, and its detail is never a sentence."""
    cause = cause_of(text, code)
    assert isinstance(cause.kind, Kind)
    assert " " not in cause.detail


@pytest.mark.parametrize(
    "piece", ["x", "-a", "a.", "no ", "a-b ", "'a", "a/", " \n", "file ", "could not find ", "missing a.b "]
)
def test_time_grows_with_the_text_and_no_faster(piece):
    """Output that nearly matches everywhere costs no more than other output: it may be anything."""
    began = time.process_time()
    for _ in range(10):
        cause_of((piece * 4000)[:4000], 1)
    assert time.process_time() - began < 0.5
