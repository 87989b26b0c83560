"""Wrong paths and the right ones."""

from __future__ import annotations

import pytest

from headroomd.model import FailureKind, Outcome

NOT_THERE = "No such file or directory"


def test_same_name_in_another_folder(story):
    """A file that is read elsewhere under the same name is where the wrong path should have led."""
    story.missing("/work/shop/core/money/Ledger.kt").read("/work/shop/billing/src/money/Ledger.kt")
    assert story.lessons == {"PATHS: core/money/Ledger.kt -> billing/src/money/Ledger.kt": 1}
    assert story.evidence[0].opportunity == "read core/money/Ledger.kt"
    assert story.evidence[0].failed.text == "Read /work/shop/core/money/Ledger.kt"


def test_search_in_between_does_not_matter(story):
    """Looking for the file between the two reads is how it is found."""
    story.missing("lib/router.ex").run("find . -name 'router.ex'").run("ls lib").read("apps/web/lib/router.ex")
    assert story.lessons == {"PATHS: lib/router.ex -> apps/web/lib/router.ex": 1}


def test_same_stem_with_another_extension_of_code(story):
    """A class that is written in another language of the project has the same stem."""
    story.missing("formats/FirstClassEntity.java").read("common/FirstClassEntity.scala")
    assert story.lessons == {"PATHS: formats/FirstClassEntity.java -> common/FirstClassEntity.scala": 1}


def test_a_short_stem_alone_needs_a_second_session(story):
    """`cart.js` and `cart.ts` may be two things."""
    story.missing("src/cart.js").read("src/cart.ts")
    assert story.lessons == {"PATHS: src/cart.js -> src/cart.ts": 2}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("src/invoices.py", "docs/invoices.md"),
        ("src/invoices.py", "tests/test_invoices.py"),
        ("a/Deploy.yml", "b/Deploy.ts"),
    ],
)
def test_another_sort_of_file_is_another_file(story, wrong, right):
    """Documentation, tests and data about a thing are not the thing."""
    assert story.missing(wrong).read(right).lessons == {}


@pytest.mark.parametrize(
    "name", ["index.ts", "main.go", "mod.rs", "__init__.py", "README.md", "package.json", "Makefile"]
)
def test_names_that_recur_in_every_tree_need_a_second_session(story, name):
    """That one `index.ts` is missing and another is read is chance until it happens again."""
    assert story.missing(f"packages/a/{name}").read(f"packages/b/{name}").lessons == {
        f"PATHS: packages/a/{name} -> packages/b/{name}": 2
    }


def test_recurring_name_below_a_telling_folder(story):
    """A shared folder name tells which `index.ts` is meant."""
    story.missing("web/checkout/index.ts").read("apps/web2/checkout/index.ts")
    assert list(story.lessons.values()) == [1]


def test_name_seen_twice_in_the_session_needs_a_second_session(story):
    """Where the session has seen two files of the name, either could be meant."""
    story.read("a/Parser.cs").missing("c/Parser.cs").read("b/Parser.cs")
    assert story.lessons == {"PATHS: c/Parser.cs -> b/Parser.cs": 2}


def test_shell_reads_are_reads(story):
    """`cat`, `sed -n` and `head` read, whatever the agent's tool is called."""
    story.broke("cat src/Invoice.php", f"cat: src/Invoice.php: {NOT_THERE}").run(
        "sed -n '1,80p' app/Models/Invoice.php"
    )
    assert story.lessons == {"PATHS: src/Invoice.php -> app/Models/Invoice.php": 1}


def test_operand_that_the_error_names(story):
    """Of several files on a command line, the one that the error names was missing."""
    story.broke("cat go.mod svc/ledger.go", f"cat: svc/ledger.go: {NOT_THERE}").read("internal/svc2/ledger.go")
    assert story.lessons == {"PATHS: svc/ledger.go -> internal/svc2/ledger.go": 1}


def test_script_run_from_the_wrong_folder(story):
    """A script named on a command line is a path too."""
    story.broke("ruby scripts/reindex.rb", f"ruby: {NOT_THERE} -- scripts/reindex.rb (LoadError)", 1)
    story.run("ruby tools/reindex.rb")
    assert story.lessons == {"PATHS: scripts/reindex.rb -> tools/reindex.rb": 1}


def test_program_of_the_project_that_is_elsewhere(story):
    """`./x.sh` that is not there is exit 127, and still a wrong path."""
    story.broke("./ci/release.sh", f"bash: line 1: ./ci/release.sh: {NOT_THERE}", 127).run("./scripts/release.sh")
    assert story.lessons == {"PATHS: ci/release.sh -> scripts/release.sh": 1}


def test_folder_of_a_search(story):
    """A folder that is searched in vain because it is not there is found by its last part."""
    story.broke("rg -n total src/checkout", f"rg: src/checkout: {NOT_THERE} (os error 2)", 2)
    story.run("rg -n total frontend/src/checkout")
    assert story.lessons == {"PATHS: src/checkout -> frontend/src/checkout": 1}


def test_edit_of_a_missing_file(story):
    """Editing asks for a path as reading does."""
    story.edit("/work/shop/api/Cart.java", Outcome.FAILED, output="File not found: /work/shop/api/Cart.java")
    story.edit("/work/shop/core/api2/Cart.java")
    assert story.lessons == {"PATHS: api/Cart.java -> core/api2/Cart.java": 1}
    assert story.evidence[0].opportunity == "edit api/Cart.java"


def test_paths_are_resolved_against_the_working_directory(story):
    """Relative paths start where the call ran, and `..` is followed."""
    story.broke("cat ../lib/Rates.hs", f"cat: ../lib/Rates.hs: {NOT_THERE}", cwd="/work/shop/app").read(
        "/work/shop/src/Rates.hs"
    )
    assert story.lessons == {"PATHS: lib/Rates.hs -> src/Rates.hs": 1}


def test_missing_again_costs_more(story):
    """All the calls that missed the same path were wasted."""
    story.missing("a/Zoo.swift").missing("a/Zoo.swift").read("b/Zoo.swift")
    assert [one.wasted for one in story.evidence] == [200]


def test_created_later(story):
    """A file that the session then writes was not yet there: path right, time wrong."""
    assert story.missing("gen/Client.ts").read("old/Client.ts").write("gen/Client.ts").lessons == {}


def test_generated_later(story):
    """A file that is read later at the same path has been made in between."""
    assert story.missing("gen/Client.ts").run("make gen").read("gen/Client.ts").read("old/Client.ts").lessons == {}


def test_moved_by_the_session_itself(story):
    """A path that was good before is gone by the session's own work."""
    story.read("lib/Tax.rb").run("git mv lib/Tax.rb app/Tax.rb").missing("lib/Tax.rb").read("app/Tax.rb")
    assert story.lessons == {}


def test_below_a_folder_that_the_session_moved(story):
    """What lay in a folder that was moved has moved with it."""
    assert story.run("mv legacy modern").missing("legacy/Tax.rb").read("modern/Tax.rb").lessons == {}


def test_right_path_that_the_session_wrote(story):
    """A file that the session has just written is no place where others will find it."""
    assert story.missing("a/Report.py").write("b/Report.py").read("b/Report.py").lessons == {}


@pytest.mark.parametrize("probe", ["ls old/Tax.rb", "test -f old/Tax.rb", "stat old/Tax.rb", "[ -e old/Tax.rb ]"])
def test_probe_is_a_question(story, probe):
    """Asking whether a file is there is answered by no."""
    assert story.broke(probe, f"{probe}: {NOT_THERE}", 2).read("app/Tax.rb").lessons == {}


def test_mistyped_name(story):
    """Another name is another file."""
    assert story.missing("note.txt").read("notes.txt").lessons == {}


def test_outside_the_project(story):
    """Nothing outside the project is a lesson, on neither side."""
    story.missing("/tmp/Tax.rb").read("app/Tax.rb").missing("lib/Rate.rb").read("/home/ann/other/Rate.rb")
    assert story.lessons == {}


def test_packages_are_not_the_project(story):
    """What tools put into the project is not where its files are."""
    assert story.missing("src/Button.vue").read("node_modules/kit/Button.vue").lessons == {}


def test_asked_for_from_a_subfolder(story):
    """A path that is right from the root and was asked for from below is a slip."""
    story.broke("cat web/src/Cart.vue", f"cat: web/src/Cart.vue: {NOT_THERE}", cwd="/work/shop/web")
    assert story.read("/work/shop/web/src/Cart.vue").lessons == {}


def test_too_long_ago(story):
    """After many other calls, the same name is chance."""
    story.missing("a/Zoo.swift")
    for number in range(31):
        story.run(f"echo {number}")
    assert story.read("b/Zoo.swift").lessons == {}


def test_guarded_file(story):
    """A file that a policy hides is not looked for elsewhere."""
    story.read(
        "conf/Secrets.kt", Outcome.FAILED, output="ignored by configured ignore patterns", kind=FailureKind.GUARD
    )
    assert story.read("app/Secrets.kt").lessons == {}


def test_masked_reader_proves_nothing_about_itself(story):
    """`cat a || cat b` does not tell which of them is there."""
    story.run("cat lib/Tax.rb || cat app/Tax.rb").missing("lib/Tax.rb").read("app/Tax.rb")
    assert story.lessons == {"PATHS: lib/Tax.rb -> app/Tax.rb": 1}


def test_what_a_command_misses_is_not_the_folder_that_it_ran_in(story):
    """Only what the message names was missing."""
    story.broke("cd api && make test", "python: FileNotFoundError: No such file or directory: 'conf.yml'", 2)
    assert story.run("cd services/api && ls").lessons == {}


def test_folder_that_is_entered_in_vain(story):
    """A folder that `cd` does not find is found by its last part."""
    story.broke("cd billing && make test", "bash: line 1: cd: billing: No such file or directory")
    assert story.run("cd services/billing && make test").lessons == {"PATHS: billing -> services/billing": 1}


def test_script_that_node_takes_for_a_module(story):
    """Node says of its own script that a module is missing."""
    story.broke("node scripts/seed.mjs", "Error: Cannot find module '/work/shop/scripts/seed.mjs'").run(
        "node db/seed.mjs"
    )
    assert story.lessons == {"PATHS: scripts/seed.mjs -> db/seed.mjs": 1}
