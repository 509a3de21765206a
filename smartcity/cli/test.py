"""``traffic test``: install what the tests need from the system, run every check, and end with the tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from smartcity.services import java, system
from smartcity.settings import ROOT, Settings

FRONTEND = ROOT / "frontend"
OLDEST_NODE = 20
#: Two processes share the files of tests: while one waits for a service the other works.
#: ``./traffic test -- -n0`` runs them in one.
IN_PARALLEL = ["-n2", "--dist=loadfile", "--no-loadscope-reorder"]
SOURCES = ["smartcity", "spark_jobs", "streaming", "api", "expectations", "dags", "benchmarks", "tests"]


def say(text: str) -> None:
    """One line to the person who waits."""
    click.secho(f"── {text}", bold=True, err=True)


def run(title: str, command: list[str], folder: Path = ROOT) -> str | None:
    """Run a check. Returns: None, or its title where it failed."""
    say(title)
    failed = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode != 0
    return title if failed else None


def python_checks() -> list[str]:
    """Style, types and who may import whom. Returns: what failed."""
    tools = Path(sys.executable).parent
    folders = [name for name in SOURCES if (ROOT / name).is_dir()]
    checks = [
        run("ruff check", [str(tools / "ruff"), "check", *folders]),
        run("ruff format", [str(tools / "ruff"), "format", "--check", *folders]),
        run("mypy", [str(tools / "mypy")]),
        run("import contracts", [str(tools / "lint-imports")]),
    ]
    return [title for title in checks if title]


def node_is_new_enough() -> bool:
    """Whether the front end can be checked on this machine."""
    if not shutil.which("node") or not shutil.which("npm"):
        return False
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    return int(version.lstrip("v").split(".")[0] or 0) >= OLDEST_NODE


def frontend_checks() -> list[str]:
    """Types, tests, and that the committed build is what the sources build. Returns: what failed."""
    lock, mark = FRONTEND / "package-lock.json", FRONTEND / "node_modules" / ".installed-lock.json"
    if not mark.exists() or mark.read_bytes() != lock.read_bytes():
        if failed := run("front end: npm ci", ["npm", "ci", "--no-audit", "--no-fund"], FRONTEND):
            return [failed]
        shutil.copyfile(lock, mark)
    checks = [
        run("front end: types", ["npm", "run", "--silent", "typecheck"], FRONTEND),
        run("front end: tests", ["npm", "test", "--silent"], FRONTEND),
        run("front end: build", ["npm", "run", "--silent", "build"], FRONTEND),
    ]
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "frontend/dist"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    if changed:
        click.echo(f"frontend/dist is not what the sources build; commit the new build:\n{changed}", err=True)
        checks.append("front end: committed build")
    return [title for title in checks if title]


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--only-tests", is_flag=True, help="Leave out style, types and the front end.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(only_tests: bool, arguments: tuple[str, ...]) -> None:
    """Install what the tests need and run every check and test. What follows ``--`` is passed on to pytest."""
    strict = os.environ.get("CI", "").lower() in ("1", "true")
    failed: list[str] = []
    marks: list[str] = []
    if reason := system.ensure(system.CHROMIUM, say):
        if strict:
            raise click.ClickException(f"{reason}; with CI=true the browser tests may not be skipped")
        say(f"{reason}: the browser tests are skipped")
        marks = ["-m", "not e2e"]
    if reason := system.ensure(system.POSTGRESQL, say):
        if strict:
            raise click.ClickException(f"{reason}; with CI=true the tests on it may not be skipped")
        say(f"{reason}: the tests on it are skipped")
    if not only_tests:
        failed += python_checks()
        if node_is_new_enough():
            failed += frontend_checks()
        elif strict:
            failed.append(f"front end: Node {OLDEST_NODE} or newer is not installed")
        else:
            say(f"Node {OLDEST_NODE} or newer is not installed: the front end's own checks are skipped")
    if failed:
        say(f"FAILED before the tests: {', '.join(failed)}")
    say("pytest")
    environment = {**os.environ, **java.environment(Settings())}
    command = [sys.executable, "-m", "pytest", *IN_PARALLEL, *marks, *arguments]
    tests = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    raise SystemExit(tests.returncode or (1 if failed else 0))
