"""How a command must be run, and what must be run before it."""

from __future__ import annotations

import pytest

from headroomd.model import FailureKind, Outcome

NOT_FOUND = "bash: line 1: {}: command not found"
FLAGS = """
--no-verify --force --skip-tests --ignore-scripts --insecure --allow-dirty --unsafe-perm --no-check --filter=web
--break-system-packages --privileged --fix -k -f -x --help --version --dry-run --list --legacy-peer-deps
"""
NO_MODULE = "ModuleNotFoundError: No module named 'fastgrid'"
REFUSED = "could not connect to server: Connection refused"


@pytest.mark.parametrize(
    ("failed", "output", "passed", "lesson"),
    [
        ("python3 -m shop.main", NO_MODULE, "uv run python3 -m shop.main", "python3 -> uv run python3"),
        ("python manage.py migrate", NO_MODULE, "poetry run python manage.py migrate", "python -> poetry run python"),
        ("python3 app.py", NO_MODULE, ".venv/bin/python app.py", "python3 -> .venv/bin/python"),
        ("python3 app.py", NO_MODULE, "/work/shop/.venv/bin/python3 app.py", "python3 -> .venv/bin/python3"),
        ("pytest -q", NO_MODULE, "hatch run pytest -q", "pytest -> hatch run pytest"),
        (
            "rspec spec/cart_spec.rb",
            "cannot load such file -- rails (LoadError)",
            "bundle exec rspec spec/cart_spec.rb",
            "rspec -> bundle exec rspec",
        ),
        (
            "node server.mjs",
            "Error: Cannot find module 'express'",
            "docker compose exec web node server.mjs",
            "node -> docker compose exec web node",
        ),
        ("pytest", NO_MODULE, "source .venv/bin/activate && pytest", "pytest -> source .venv/bin/activate && pytest"),
        (
            "pytest tests",
            NO_MODULE,
            ". env/bin/activate && pytest tests",
            "pytest -> source env/bin/activate && pytest",
        ),
    ],
)
def test_environment_in_which_the_modules_are(story, failed, output, passed, lesson):
    """The same command inside the project's environment finds the modules that it missed outside."""
    assert story.broke(failed, output).run(passed).lessons == {f"ENVIRONMENT: {lesson}": 1}


@pytest.mark.parametrize(
    ("failed", "passed", "lesson"),
    [
        ("docker-compose up -d db", "docker compose up -d db", "docker-compose -> docker compose"),
        ("kustomize build k8s/dev", "kubectl kustomize k8s/dev", "kustomize build -> kubectl kustomize"),
        ("vercel deploy --prod", "npx vercel deploy --prod", "vercel -> npx vercel"),
        ("gradle assemble", "./gradlew assemble", "gradle -> ./gradlew"),
        ("mvn -q package", "./mvnw -q package", "mvn -> ./mvnw"),
        ("python -V", "python3 -V", "python -> python3"),
        ("pip list --outdated", "pip3 list --outdated", "pip -> pip3"),
        ("firebase deploy", "./node_modules/.bin/firebase deploy", "firebase -> ./node_modules/.bin/firebase"),
        ("phpunit --testdox", "vendor/bin/phpunit --testdox", "phpunit -> vendor/bin/phpunit"),
        ("pytest tests", "python3 -m pytest tests", "pytest -> python3 -m pytest"),
        ("tofu plan", "terraform plan", "tofu -> terraform"),
        ("clang-format-14 -n a.c", "clang-format -n a.c", "clang-format-14 -> clang-format"),
        ("ghc -O2 Main.hs", "nix develop -c ghc -O2 Main.hs", "ghc -> nix develop -c ghc"),
        ("npm run lint", "pnpm run lint", "npm -> pnpm"),
        ("tsc", "npx tsc", "tsc -> npx tsc"),
        ("bazel build //app", "bazelisk build //app", "bazel -> bazelisk"),
        ("swiftlint lint", "mint run swiftlint lint", "swiftlint -> mint run swiftlint"),
    ],
)
def test_program_that_is_here_under_another_name(story, failed, passed, lesson):
    """A program that is not found, and a related one that takes the same arguments."""
    program = failed.split()[0]
    story.broke(failed, NOT_FOUND.format(program), 127).run(passed)
    assert story.lessons == {f"ENVIRONMENT: {lesson}": 1}
    assert story.evidence[0].note == f"command not found: {program}"


def test_program_is_counted_under_its_name(story):
    """Every use of a program that is not there is a chance to fail again."""
    story.broke("docker-compose ps", NOT_FOUND.format("docker-compose"), 127).run("docker compose ps")
    assert story.evidence[0].opportunity == "run docker-compose"


def test_unrelated_program_with_the_same_arguments_needs_a_second_session(story):
    """Another name altogether is believed when it happens again."""
    story.broke("lein test :unit", NOT_FOUND.format("lein"), 127).run("clj-runner test :unit")
    assert story.lessons == {"ENVIRONMENT: lein -> clj-runner": 2}


@pytest.mark.parametrize("viewer", ["ls dist", "cat dist", "which dist", "file dist", "stat dist", "echo dist"])
def test_looking_is_no_substitute(story, viewer):
    """Looking at the argument is not doing what was wanted with it."""
    assert story.broke("serve dist", NOT_FOUND.format("serve"), 127).run(viewer).lessons == {}


def test_program_that_is_installed_is_no_wrapper(story):
    """`pip install pytest` ends with `pytest`, and is something else."""
    assert story.broke("pytest", NOT_FOUND.format("pytest"), 127).run("pip install pytest").lessons == {}


def test_program_alone_may_be_an_operand(story):
    """What is only named by another command may not have run."""
    story.broke("pnpm", NOT_FOUND.format("pnpm"), 127).run("corepack activate pnpm")
    assert story.lessons == {"ENVIRONMENT: pnpm -> corepack activate pnpm": 2}


@pytest.mark.parametrize(
    ("failed", "output", "folder", "lesson"),
    [
        ("npm run build", 'npm error Missing script: "build"', "web", "npm run build"),
        ("go test ./...", "go: go.mod file not found in current directory or any parent directory", "svc", "go test"),
        (
            "cargo test",
            "error: could not find `Cargo.toml` in `/work/shop` or any parent directory",
            "core",
            "cargo test",
        ),
        ("mix test", "** (Mix) Could not find a Mix.Project, please ensure ...", "apps/cart", "mix test"),
        (
            "dotnet test",
            "MSBUILD : error MSB1003: The current working directory does not contain a project",
            "src",
            "dotnet test",
        ),
        ("terraform plan", "Error: No configuration files", "infra/live", "terraform plan"),
        ("bundle exec rspec", "Could not locate Gemfile or .bundle/ directory", "api", "bundle exec rspec"),
        (
            "mvn test",
            "The goal you specified requires a project but there is no POM in this directory",
            "jvm",
            "mvn test",
        ),
        ("flutter test", "Error: No pubspec.yaml file found.", "mobile", "flutter test"),
        ("make lint", "make: *** No rule to make target 'lint'.  Stop.", "server", "make lint"),
        ("composer validate", "Composer could not find a composer.json file in /work/shop", "php", "composer validate"),
        (
            "swift build",
            "error: Could not find Package.swift in this directory or any of its parents",
            "ios",
            "swift build",
        ),
        ("bazel test //cart", "The 'test' command is only supported from within a workspace", "monorepo", "bazel test"),
    ],
)
def test_folder_in_which_the_project_is(story, failed, output, folder, lesson):
    """A command that does not find its project at the root finds it in a folder."""
    story.broke(failed, output).run("ls").run(f"cd {folder} && {failed}")
    assert story.lessons == {f"COMMANDS: {lesson} -> cd {folder} && {lesson}": 1}


@pytest.mark.parametrize(
    "passed",
    [
        "make -C api test",
        "cd api && make test",
        "cd /work/shop/api && make test",
        "pushd api && make test",
        "(cd api && make test)",
    ],
)
def test_ways_to_name_a_folder(story, passed):
    """However the folder is given, it is the same lesson."""
    story.broke("make test", "make: *** No rule to make target 'test'.  Stop.", 2).run(passed)
    assert story.lessons == {"COMMANDS: make test -> cd api && make test": 1}


def test_working_directory_of_the_call_counts(story):
    """Where the agent's shell stands is the folder, too."""
    story.broke("npm test", "npm error Missing script: test").run("npm test", cwd="/work/shop/web")
    assert story.lessons == {"COMMANDS: npm test -> cd web && npm test": 1}


def test_from_the_root(story):
    """What fails below and works at the root needs a second session: the agent may only have lost its way."""
    story.broke("make deploy", "make: *** No rule to make target 'deploy'.", 2, cwd="/work/shop/docs").run(
        "make deploy"
    )
    assert story.lessons == {"COMMANDS: cd docs && make deploy -> make deploy # from the repo root": 2}


def test_same_folder_twice_is_a_slip(story):
    """`cd web` from within web fails, and says nothing about the command."""
    story.broke("cd web && npm test", "bash: cd: web: No such file or directory", cwd="/work/shop/web")
    assert story.run("npm test", cwd="/work/shop/web").lessons == {}


def test_folder_and_wrapper_together(story):
    """Two differences at once are believed when they come again."""
    story.broke("pytest -q", NO_MODULE).run("cd backend && uv run pytest -q")
    assert story.lessons == {"COMMANDS: pytest -> cd backend && uv run pytest": 2}


def test_package_manager(story):
    """Another package manager for the same script."""
    story.broke("npm test", "npm error Missing script: test").run("cat package.json").run("pnpm test")
    assert story.lessons == {"COMMANDS: npm test -> pnpm test": 2}


def test_words_inserted(story):
    """The script belongs to one workspace of several."""
    story.broke("yarn build", 'error Command "build" not found.').run("yarn workspace web build")
    assert story.lessons == {"COMMANDS: yarn build -> yarn workspace web build": 2}


def test_flag(story):
    """An option that the command needs here."""
    story.broke("rails server", "no such config: default").run("rails server --config config/dev.rb")
    assert story.lessons == {"COMMANDS: rails server -> rails server --config config/dev.rb": 2}


def test_flag_that_names_the_place_of_what_was_not_found(story):
    """Choosing a part goes round a failure, but not where the failure is that there was nothing to work on."""
    story.broke("turbine serve", "turbine: could not find a project here").run("turbine serve --project apps/api")
    assert story.lessons == {"COMMANDS: turbine serve -> turbine serve --project apps/api": 2}


@pytest.mark.parametrize("flags", FLAGS.split())
def test_flags_that_go_round_or_choose(story, flags):
    """Forcing, switching off and choosing less make a command pass without mending anything."""
    assert story.broke("deployer push all", "it is not defined").run(f"deployer push all {flags}").lessons == {}


def test_variable(story):
    """The name of a variable is told, its value never."""
    story.broke("cargo run", "missing configuration").run("SHOP_MODE=hunter2 cargo run")
    assert story.lessons == {"COMMANDS: cargo run -> SHOP_MODE=… cargo run": 2}


@pytest.mark.parametrize("name", ["HUSKY", "SKIP", "NODE_TLS_REJECT_UNAUTHORIZED", "GIT_SSL_NO_VERIFY", "PATH"])
def test_variables_that_go_round(story, name):
    """A variable that switches a check off is no lesson."""
    assert story.broke("deployer push", "it is not defined").run(f"{name}=0 deployer push").lessons == {}


def test_sudo_is_never_a_remedy(story):
    """What only root may do is not taught."""
    story.broke("docker ps -a", NOT_FOUND.format("docker"), 127).run("sudo docker ps -a")
    assert story.lessons == {}


def test_permission_is_never_gone_round(story):
    """What may not be done is not to be done in another way."""
    story.broke("./deploy.sh prod", "bash: ./deploy.sh: Permission denied", 126).run("bash ./deploy.sh prod")
    assert story.lessons == {}


def test_guard_is_never_gone_round(story):
    """A command that a policy stopped teaches nothing, whatever passes later."""
    story.broke("npm publish", "BLOCKED: no publishing", kind=FailureKind.GUARD).run("pnpm publish").run("npm publish")
    assert story.lessons == {}


def test_edit_in_between(story):
    """After an edit, what passes may have been mended."""
    story.broke("python3 -m shop", NO_MODULE).edit("shop/main.py").run("uv run python3 -m shop")
    assert story.lessons == {}


def test_failed_edit_in_between_changes_nothing(story):
    """An edit that did not take place mends nothing."""
    story.broke("python3 -m shop", NO_MODULE).edit("shop/main.py", Outcome.FAILED, kind=FailureKind.MISUSE)
    assert story.run("uv run python3 -m shop").lessons == {"ENVIRONMENT: python3 -> uv run python3": 1}


@pytest.mark.parametrize(
    "change",
    [
        "sed -i s/a/b/ shop/main.py",
        "echo x > shop/main.py",
        "cat > shop/main.py <<'EOF'\nx\nEOF",
        "git checkout -- shop",
        "git pull --rebase",
        "npx prettier --write src",
        "cargo fmt",
        "python3 - <<'EOF'\nopen('a.py', 'w').write('x')\nEOF",
        "perl -pi -e s/a/b/ shop/main.py",
        "cp a.py b.py",
        "patch -p1 < x.diff",
        "pip install fastgrid",
        "npm ci",
        "uv sync",
    ],
)
def test_shell_changes_in_between(story, change):
    """The shell edits and installs as well as any tool."""
    assert story.broke("python3 -m shop", NO_MODULE).run(change).run("uv run python3 -m shop").lessons == {}


@pytest.mark.parametrize(
    "look",
    ["ls -a", "cat pyproject.toml", "git status", "grep -rn fastgrid .", "which uv", "make -n", "echo x > /tmp/notes"],
)
def test_looking_in_between(story, look):
    """Looking changes nothing."""
    story.broke("python3 -m shop", NO_MODULE).run(look).run("uv run python3 -m shop")
    assert story.lessons == {"ENVIRONMENT: python3 -> uv run python3": 1}


@pytest.mark.parametrize(
    "passed", ["uv run python3 -m shop | tail -5", "uv run python3 -m shop || true", "uv run python3 -m shop; echo"]
)
def test_masked_success_is_no_proof(story, passed):
    """The status of a pipeline is its last command's."""
    assert story.broke("python3 -m shop", NO_MODULE).run(passed).lessons == {}


def test_chain_of_several_commands_blames_nobody(story):
    """Which link of `a && b` broke is not known, unless the message names it."""
    story.broke("cargo build && cargo-deny check", "something is not defined").run("cd core && cargo build")
    assert story.lessons == {}
    story.broke("cargo build && deny check all", NOT_FOUND.format("deny"), 127).run("cargo deny check all")
    assert story.lessons == {"ENVIRONMENT: deny -> cargo deny": 2} or story.lessons == {
        "ENVIRONMENT: deny -> cargo deny": 1
    }


def test_works_as_it_stands_after_all(story):
    """A command that passes unchanged after all needs no other form."""
    story.broke("npm test", "npm error Missing script: test").run("pnpm test").run("npm test")
    assert story.lessons == {}


def test_other_operands_are_other_work(story):
    """The same program on another target is another thing."""
    story.broke("make docs", "make: *** No rule to make target 'docs'.", 2).run("make build")
    assert story.lessons == {}


def test_runs_of_other_scripts(story):
    """A module that one script misses is not found by running another."""
    assert story.broke("python3 a.py", NO_MODULE).run("uv run python3 b.py").lessons == {}


def test_secret_in_a_command(story):
    """A command line that holds a secret is remembered nowhere."""
    story.broke("deployer --token ghp_0123456789abcdefghijABCDEFGHIJ012345 push", NOT_FOUND.format("deployer"), 127)
    story.run("npx deployer --token ghp_0123456789abcdefghijABCDEFGHIJ012345 push")
    assert story.lessons == {}


# What must be done first


def test_done_first(story):
    """What ran between the failure and the success may be what was missing."""
    story.broke("bin/rails test", REFUSED).run("cat compose.yaml").run("docker compose up -d db").run("bin/rails test")
    assert story.lessons == {"RETRY: bin/rails test -> docker compose up -d db": 2}
    assert story.evidence[0].opportunity == "run bin/rails test"


def test_done_first_in_one_line(story):
    """`X && F` is X first."""
    story.broke("mix test", REFUSED).run("mix ecto.create && mix test")
    assert story.lessons == {"RETRY: mix test -> mix ecto.create": 2}


def test_every_candidate_nearest_first(story):
    """Which of several was the one, other sessions will tell."""
    story.broke("go test ./...", REFUSED).run("make certs").run("make db-up").run("go test ./...")
    assert list(story.lessons) == ["RETRY: go test -> make db-up", "RETRY: go test -> make certs"]


def test_what_did_not_help(story):
    """What came before another failure was not enough."""
    story.broke("go test ./...", REFUSED).run("make certs").broke("go test ./...", REFUSED).run("make db-up").run(
        "go test ./..."
    )
    assert list(story.lessons) == ["RETRY: go test -> make db-up"]
    assert story.evidence[0].wasted == 200


def test_red_tests_that_could_not_connect(story):
    """Tests that fail because a service is down are not red."""
    story.broke("pytest", f"FAILED tests/test_db.py - {REFUSED}\n3 failed in 2s").run("make db-up").run("pytest")
    assert story.lessons == {"RETRY: pytest -> make db-up": 2}


def test_service_in_the_background(story):
    """A server that was left running may be what was missing."""
    story.broke("npx playwright test", REFUSED).run("npm run dev > /tmp/dev.log 2>&1 &").run("npx playwright test")
    assert story.lessons == {"RETRY: npx playwright -> npm run dev &": 2}


@pytest.mark.parametrize(
    "between",
    ["ls", "sleep 5", "git status", "make lint", "git add -A", "curl -s localhost", "npm ls", "cd web", "kill 1"],
)
def test_what_prepares_nothing(story, between):
    """Looking, waiting and judging prepare nothing."""
    assert story.broke("bin/server check-db", REFUSED).run(between).run("bin/server check-db").lessons == {}


@pytest.mark.parametrize(
    "plain", ["npm install", "npm ci", "bundle install", "uv sync", "mix deps.get", "pip install -r requirements.txt"]
)
def test_plain_install_prepares(story, plain):
    """Installing what the project lists is preparation."""
    story.broke("make serve", "it is not defined").run(plain).run("make serve")
    assert story.lessons == {f"RETRY: make serve -> {plain}": 2}


@pytest.mark.parametrize(
    "named", ["npm install left-pad", "pip install fastgrid", "cargo add serde", "gem install rails"]
)
def test_install_by_name_is_work(story, named):
    """Adding a package is part of the task; whatever else ran is then not known to have helped."""
    assert story.broke("make serve", "it is not defined").run("make db-up").run(named).run("make serve").lessons == {}


def test_passing_unchanged_teaches_nothing(story):
    """A hiccup is no lesson."""
    assert story.broke("cargo fetch", REFUSED).run("cargo fetch").lessons == {}


@pytest.mark.parametrize("command", ["curl -sS localhost:80", "cat gen/api.ts", "git push", "ls x", "grep -q x y"])
def test_what_needs_no_preparation(story, command):
    """Looking and git are no commands to prepare."""
    assert story.broke(command, REFUSED, 7).run("make gen").run(command).lessons == {}


def test_retried_in_vain(story):
    """The same deterministic failure three times in a row."""
    for _ in range(3):
        story.broke("make docs", "make: *** No rule to make target 'docs'.  Stop.", 2)
    assert story.lessons == {"RETRY: make docs": 2}
    assert story.run("cd site && make docs").lessons == {"COMMANDS: make docs -> cd site && make docs": 1}


def test_retried_in_vain_and_then_mended(story):
    """What an edit may have mended was not in vain."""
    for _ in range(3):
        story.broke("make docs", "make: *** No rule to make target 'docs'.  Stop.", 2)
    assert story.edit("Makefile").lessons == {}


def test_waiting_for_something_is_not_in_vain(story):
    """Polling is repetition with a purpose."""
    for _ in range(4):
        story.broke("deployer wait", REFUSED)
    assert story.lessons == {}


@pytest.mark.parametrize(
    "flags", ["-DskipTests", "-Dmaven.test.skip=true", "--passWithNoTests", "-Dcheck.failIfNone=false"]
)
def test_properties_that_go_round(story, flags):
    """Switching a check off by a property is switching it off."""
    assert story.broke("mvnd verify", "goal is not defined").run(f"mvnd verify {flags}").lessons == {}


def test_options_after_the_wrapped_command(story):
    """A wrapper is seen where the passing command has options more; a second session must show it."""
    story.broke("pytest tests", NO_MODULE).run("uv run pytest tests -x --tb=short")
    assert story.lessons == {"ENVIRONMENT: pytest -> uv run pytest": 2}


@pytest.mark.parametrize("command", ["cp a.txt b.txt", "tar xf dist.tar", "python3 -c 'import shop'"])
def test_what_the_head_of_a_command_does_not_tell(story, command):
    """A rule on `cp` or on `python3` as such would be far too broad."""
    assert story.broke(command, "No such file or directory").run(f"cd api && {command}").lessons == {}


def test_same_script_in_another_folder_is_one_lesson(story):
    """It is the folder that differs, not the path."""
    story.broke("ruby bin/seed.rb", "ruby: No such file or directory -- bin/seed.rb (LoadError)").run(
        "cd api && ruby bin/seed.rb"
    )
    assert story.lessons == {"COMMANDS: ruby bin/seed.rb -> cd api && ruby bin/seed.rb": 1}


def test_build_tool_of_the_project_in_another_folder(story):
    """A script of the project that is not found here is found in its folder."""
    story.broke("./gradlew build", "bash: ./gradlew: No such file or directory", 127).run(
        "cd android && ./gradlew build"
    )
    assert story.lessons == {"COMMANDS: ./gradlew build -> cd android && ./gradlew build": 1}


@pytest.mark.parametrize(
    "output", ["Error: listen EADDRINUSE: address already in use :::3000", "npm error 429 Too Many Requests"]
)
def test_passing_trouble_needs_no_preparation(story, output):
    """A port in use and a busy server are over by themselves."""
    assert story.broke("npm run dev", output).run("make reset").run("npm run dev").lessons == {}
