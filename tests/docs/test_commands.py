"""Every command that the pages show exists with its options; a test runs it, or it is said here why none does."""

import re
import shlex
from pathlib import Path

import click
import pytest

from smartcity.__main__ import cli
from smartcity.settings import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: In a block of code, or between backticks.
SHOWN = re.compile(r"^\s*(?:\$ )?(\./traffic [^\n]*)|`(\./traffic [^`\n]*)`", re.MULTILINE)

#: Command -> the file of the test that runs it, its pieces on real services included.
RUN_BY = {
    "bench batch": "benchmarks/test_batch.py",
    "generate": "smartcity/generator/test_run.py",
    "housekeeping": "smartcity/test_housekeeping.py",
    "ingest trips": "smartcity/test_ingest_command.py",
    "ingest sensors": "smartcity/test_ingest_command.py",
    "model promote": "smartcity/model/test_versions.py",
    "model rollback": "smartcity/model/test_versions.py",
    "secrets": "smartcity/cli/test_secrets.py",
    "watch": "integration/test_watch.py",
}
#: Command -> why no test runs it as it stands.
NOT_RUN = {
    "bench api": "measures for minutes; the server and the contract it loads are run by tests/api",
    "bench chaos": "kills for minutes; its events and its comparison are tested in tests/benchmarks/test_oracle.py",
    "bench latency": "measures for minutes on the whole stream, which tests/integration/test_stream.py runs",
    "bench producer": "measures for minutes; the replay is run by tests/integration/test_stream.py",
    "bench scale": "measures for minutes; its table and plot are tested in tests/benchmarks/test_load.py",
    "bench stateful": "measures for minutes; its sums are tested in tests/benchmarks/test_stateful.py",
    "bench throughput": "measures for minutes; how it judges a lag is tested in tests/benchmarks/test_load.py",
    "bench sockets": "measures for minutes; the server is run by tests/api/test_server.py",
    "doctor": "looks at this machine; ports and disk, which it looks at, in tests/smartcity/services/test_ports.py",
    "down": "would end what runs here; the supervisor it ends is tested in tests/smartcity/services",
    "evaluate": "needs a trained model; the scores it prints are tested in tests/spark_jobs/test_train.py",
    "ingest probes": "the job behind it is run by tests/spark_jobs/test_probes.py",
    "ingest stream": "the job behind it is run by tests/spark_jobs/test_archive.py",
    "model list": "what it prints is read from the registry in tests/smartcity/model/test_versions.py",
    "model watch": "what it prints is `look`, run in tests/smartcity/model/test_versions.py",
    "replay": "the program behind it is run by tests/integration/test_stream.py",
    "status": "reads what `up` left, and no test runs `up`",
    "test": "runs the tests",
    "train": "the job behind it is run by tests/spark_jobs/test_train.py",
    "up": "starts everything for good; each part is started by tests/integration and tests/e2e",
}


def shown(page: Path) -> list[list[str]]:
    """The words of each command on a page, without comments, pipes and other programs."""
    found = [block or inline for block, inline in SHOWN.findall(page.read_text())]
    commands = []
    for text in found:
        plain = re.split(r"\s[|>]\s|\s&&\s|;\s|\s#\s?", text.replace("…", "").replace("\\", ""))[0]
        commands.append([word for word in shlex.split(plain)[1:] if word not in (">", "[…]")])
    return commands


def resolve(words: list[str]) -> tuple[str, click.Command, list[str]]:
    """The command's name, the command and what follows it. Raises: click.UsageError where there is none."""
    command, name, rest = cli, [], list(words)
    context = click.Context(cli, info_name="traffic")
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        if found is None:
            raise click.UsageError(f"there is no command {' '.join([*name, rest[0]])}")
        command = found
        name.append(rest.pop(0))
    if name == ["bench"] and rest:
        name.append(rest.pop(0))
    return " ".join(name), command, rest


def program(name: str) -> Path | None:
    """The source of the program that a command hands its options to, where it does."""
    if name.startswith("bench "):
        return ROOT / "benchmarks" / f"{name.split()[1]}.py"
    return ROOT / "streaming" / "plan.py" if name == "replay" else None


def check_program(name: str, source: str, rest: list[str]) -> None:
    """Its options stand in its source."""
    for option in rest:
        assert not option.startswith("--") or f'"{option}"' in source, f"{name} {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_their_options_exist(page: Path) -> None:
    for words in shown(page):
        name, command, rest = resolve(words)
        if path := program(name):
            check_program(name, path.read_text(), rest)
            continue
        # The parser knows the options; what they stand for (files, names) need not be there.
        command.make_parser(click.Context(command)).parse_args(list(rest))


def test_the_check_sees_commands_and_would_see_a_wrong_option() -> None:
    assert sum(len(shown(page)) for page in PAGES) >= 25
    _, command, rest = resolve(["generate", "--dayz", "3"])
    with pytest.raises(click.NoSuchOption):
        command.make_parser(click.Context(command)).parse_args(rest)
    with pytest.raises(click.UsageError):
        resolve(["modle", "list"])


def test_every_command_shown_is_run_by_a_test_or_said_here_why_not() -> None:
    names = {resolve(words)[0] for page in PAGES for words in shown(page)} - {"", "bench", "model", "ingest"}
    assert names <= set(RUN_BY) | set(NOT_RUN), "say in RUN_BY or NOT_RUN which test runs it, or why none does"
    for command, file in RUN_BY.items():
        assert (ROOT / "tests" / file).is_file(), f"{command}: {file}"
    assert not set(RUN_BY) & set(NOT_RUN)
