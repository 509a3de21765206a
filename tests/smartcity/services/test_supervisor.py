import configparser
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from supervisor.datatypes import dict_of_key_value_pairs

from smartcity.errors import SettingsError
from smartcity.services import processes, programs
from smartcity.services.supervisor import RUNNING, Supervisor, configuration
from smartcity.settings import ROOT, Settings


def sections(settings: Settings, wanted: list[programs.Program]) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(configuration(settings, wanted, {}))
    return parser


def until(true: object, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_every_program_has_its_own_group_and_comes_back_when_it_dies(tmp_path: Path) -> None:
    written = sections(Settings(home=tmp_path), [programs.replay(Settings(home=tmp_path))])["program:replay"]
    assert (written["autorestart"], written["stopasgroup"], written["killasgroup"]) == ("true", "true", "true")
    assert shlex.split(written["command"]) == [sys.executable, "-m", "streaming.replay"]


def test_passes_json_and_percent_signs_through_to_the_program(tmp_path: Path) -> None:
    value = json.dumps({"host": "local[2]", "rate": "5%"})
    program = programs.Program("spark", ["true"], {"CONNECTION": value})
    written = sections(Settings(home=tmp_path), [program])["program:spark"]["environment"]
    assert dict_of_key_value_pairs(written.replace("%%", "%"))["CONNECTION"] == value


def test_refuses_a_value_that_the_configuration_can_not_hold(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="both kinds of quotes"):
        configuration(Settings(home=tmp_path), [programs.Program("x", ["true"], {"A": "'\""})], {})


def test_a_secret_changes_the_configuration_but_is_not_in_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    told = configuration(settings, [], {"TRAFFIC_API_TOKEN": "a-very-secret-token"})
    assert "a-very-secret-token" not in told
    assert told != configuration(settings, [], {})


def test_a_password_of_a_database_reaches_the_programs_by_no_file_and_no_argument(tmp_path: Path) -> None:
    urls = {name: f"postgresql+psycopg://me:very-{name}-secret@host/{name}" for name in ("mlflow", "airflow")}
    settings = Settings(
        _env_file=None, home=tmp_path, mlflow_database_url=urls["mlflow"], airflow_database_url=urls["airflow"]
    )
    found = [programs.mlflow(settings), *programs.airflow(settings)]
    assert "secret" not in configuration(settings, found, {})
    assert not any("secret" in word for program in found for word in program.command)
    assert urls["mlflow"] in {program.environment.get(programs.MLFLOW_STORE) for program in found}


def test_a_value_that_no_file_gets_reaches_its_program_all_the_same(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path)
    write = "import os, pathlib; pathlib.Path('{}').write_text(os.environ['SAID'])".format(tmp_path / "said")
    program = programs.Program(
        "writer", [sys.executable, "-c", write], {"SAID": "s3cr%t"}, start_seconds=0, private=frozenset({"SAID"})
    )
    supervisor = Supervisor(settings)
    supervisor.start([program])
    try:
        supervisor.start_program("writer")
        assert until(lambda: (tmp_path / "said").exists() and (tmp_path / "said").read_text() == "s3cr%t")
        assert "s3cr" not in supervisor.config.read_text()
    finally:
        supervisor.shutdown()


def test_airflow_gets_its_spark_as_json_because_a_uri_with_brackets_means_yarn() -> None:
    assert json.loads(programs.spark_connection("local[2]"))["host"] == "local[2]"
    cluster = json.loads(programs.spark_connection("spark://head:7077"))
    assert (cluster["host"], cluster["port"]) == ("spark://head", 7077)


def test_airflow_listens_on_loopback_only(tmp_path: Path) -> None:
    environment = programs.airflow_environment(Settings(home=tmp_path))
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    # The log servers of scheduler and triggerer would listen on every address.
    parts = {program.name: program.command for program in programs.airflow(Settings(home=tmp_path))}
    assert all("--skip-serve-logs" in parts[f"airflow-{name}"] for name in ("scheduler", "triggerer"))
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == str(ROOT / "dags")


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[tuple[Settings, Supervisor]]:
    """A real supervisord with one program that has a child; ended however the test leaves it."""
    settings = Settings(home=tmp_path)
    parent = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    program = programs.Program("sleeper", [sys.executable, "-c", f"{parent}; time.sleep(600)"], start_seconds=0)
    supervisor = Supervisor(settings)
    supervisor.start([program])
    supervisor.start_program("sleeper")
    assert until(lambda: len(processes.ours(settings)) == 3)
    yield settings, supervisor
    supervisor.shutdown()
    assert processes.end(process for process, _ in processes.ours(settings).values()) == []


def test_starts_again_what_was_killed(supervised: tuple[Settings, Supervisor]) -> None:
    _, supervisor = supervised
    first = supervisor.states()["sleeper"].pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert until(lambda: supervisor.states()["sleeper"].pid not in (None, first))
    assert supervisor.states()["sleeper"].state == RUNNING


def test_stops_the_program_s_children_too(supervised: tuple[Settings, Supervisor]) -> None:
    settings, supervisor = supervised
    supervisor.shutdown()
    assert until(lambda: not processes.ours(settings))


def test_finds_its_processes_when_supervisord_itself_was_killed(supervised: tuple[Settings, Supervisor]) -> None:
    settings, supervisor = supervised
    daemon = next(process for process, service in processes.ours(settings).values() if service == "supervisor")
    daemon.kill()
    psutil.wait_procs([daemon], timeout=10)
    left = processes.ours(settings)
    assert not supervisor.is_running() and len(left) == 2
    assert processes.end(process for process, _ in left.values()) == []


def test_starting_again_with_the_same_settings_changes_nothing(supervised: tuple[Settings, Supervisor]) -> None:
    settings, supervisor = supervised
    pids = set(processes.ours(settings))
    wanted = [programs.Program("sleeper", shlex.split(_command(supervisor)), start_seconds=0)]
    assert supervisor.start(wanted) is False
    assert supervisor.start_program("sleeper") is False
    assert set(processes.ours(settings)) == pids


def _command(supervisor: Supervisor) -> str:
    parser = configparser.RawConfigParser()
    parser.read(supervisor.config)
    return parser["program:sleeper"]["command"]


@pytest.mark.parametrize(("variable", "restarts"), [("PATH", False), ("MODE", True)])
def test_only_the_path_of_the_calling_shell_may_differ(
    supervised: tuple[Settings, Supervisor], variable: str, restarts: bool
) -> None:
    _, supervisor = supervised
    command = shlex.split(_command(supervisor))
    supervisor.start([programs.Program("sleeper", command, {variable: "/one"}, start_seconds=0)])
    again = programs.Program("sleeper", command, {variable: "/other"}, start_seconds=0)
    assert supervisor.start([again]) is restarts


def test_counts_how_often_a_program_died(supervised: tuple[Settings, Supervisor]) -> None:
    _, supervisor = supervised
    pid = supervisor.states()["sleeper"].pid
    assert pid is not None and supervisor.deaths() == {}
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: supervisor.deaths() == {"sleeper": 1})
