"""``docker-compose.yml``, checked as far as it goes without an engine."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from smartcity.services.programs import airflow_database
from smartcity.settings import ROOT, Settings
from tests.test_env_example import COMPOSE_ONLY, SHOWN, names

TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
#: Section 4 of the design, host port by service, and the stream's figures for Prometheus.
PORTS = {
    "api": 5000,
    "mlflow": 5001,
    "airflow-api": 8085,
    "kafka": 9092,
    "kafka-ui": 8080,
    "zookeeper": 2181,
    "spark-master": 7077,
    "spark-worker": 8082,
    "stream": 5010,
}
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEY$")


def test_the_whole_platform_is_there() -> None:
    assert set(PORTS) | {"spark-standby", "postgres", "stream", "replay", "airflow-scheduler"} <= set(SERVICES)


def test_ports_are_those_of_the_design_and_bound_to_loopback() -> None:
    for name, service in SERVICES.items():
        expected = [f"127.0.0.1:{PORTS[name]}:{PORTS[name]}"] if name in PORTS else []
        assert service.get("ports", []) == expected, name


def test_images_are_pinned_to_a_version() -> None:
    for name, service in SERVICES.items():
        tag = service["image"].rpartition(":")[2]
        assert re.search(r"\d+\.\d+\.\d+|\d+\.\d+-alpine\d", tag), f"{name}: {service['image']}"
    assert re.search(r"^FROM python:3\.11\.\d+-", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE)


def test_every_service_has_a_limit_a_profile_and_a_restart_policy() -> None:
    for name, service in SERVICES.items():
        limits = service["deploy"]["resources"]["limits"]
        assert limits["cpus"] and limits["memory"], name
        assert set(service["profiles"]) <= {"core", "full"} and "full" in service["profiles"], name
        assert service["restart"] in ("unless-stopped", "no"), name


def test_what_keeps_running_has_a_health_check() -> None:
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) == (service["restart"] != "no"), name


def test_start_order_is_by_health_not_by_time() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            once = SERVICES[needed]["restart"] == "no"
            assert how["condition"] == ("service_completed_successfully" if once else "service_healthy"), name
            assert set(service["profiles"]) <= set(SERVICES[needed]["profiles"]), f"{name} needs {needed}"


def test_secrets_come_from_the_environment_only() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", str(value)), f"{name}.{key}"
    assert not re.search(r"://[^:/\s]+:[^$\s@]+@", TEXT), "a password stands in an address"


def test_variables_are_documented() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)[:}]", TEXT))
    assert used <= set(SHOWN)


def test_every_setting_named_exists() -> None:
    known = names(Settings, "TRAFFIC_") | COMPOSE_ONLY
    used = {key for service in SERVICES.values() for key in service.get("environment", {}) if key.startswith("TRAFFIC")}
    assert used <= known
    dockerfile = set(re.findall(r"\b(TRAFFIC_[A-Z_]+)=", (ROOT / "docker" / "Dockerfile").read_text()))
    assert dockerfile <= known


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_resolves(name: str) -> None:
    command = OURS[name]["command"]
    if command[0] == "spark-class":
        jars = Path(importlib.util.find_spec("pyspark").origin).parent / "jars"
        assert any(jars.glob("spark-core_*.jar"))
        assert command[1].startswith("org.apache.spark.deploy.")
    elif command[1] == "-m":
        assert importlib.util.find_spec(command[2]) is not None
    else:
        assert (ROOT / command[1]).is_file()


def test_nothing_runs_as_root_or_can_become_it() -> None:
    assert re.search(r"^USER traffic$", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name
        assert name in OURS or name == "kafka-ui" or int(service["user"].partition(":")[0]) > 0, name


def test_a_setting_in_the_environment_file_reaches_the_programs() -> None:
    """All but what the deployment itself decides: its addresses and folders."""
    reached = set(COMPOSE["x-settings"])
    assert set(COMPOSE["x-settings"].values()) == {None}, "a default here would be a second one"
    said = {key for service in OURS.values() for key in service["environment"]}
    assert reached <= set.intersection(*(set(service["environment"]) for service in OURS.values()))
    own = {"TRAFFIC_JARS", "TRAFFIC_MAVEN_REPOSITORY", "TRAFFIC_STREAM_METRICS_PORT"}
    ports = {name for name in names(Settings, "TRAFFIC_") if name.endswith("_PORT")}
    databases = {"TRAFFIC_MLFLOW_DATABASE_URL", "TRAFFIC_AIRFLOW_DATABASE_URL"}
    assert names(Settings, "TRAFFIC_") - said <= own | ports | databases | {"TRAFFIC_OPENLINEAGE"}


def test_airflow_reaches_its_database_by_drivers_that_are_installed() -> None:
    """As the program that tests/integration/test_postgresql.py starts on a real one."""
    said = COMPOSE["x-airflow-environment"]
    address = said["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert airflow_database(address) == {name: value for name, value in said.items() if "SQL_ALCHEMY_CONN" in name}
    for name, value in airflow_database(address).items():
        driver = value.partition(":")[0].partition("+")[2]
        assert importlib.util.find_spec(driver) is not None, name


def test_volumes_are_declared() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), f"{name}: {volume}"


def test_the_files_the_image_copies_exist() -> None:
    for source in re.findall(r"^COPY (\S+) ", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE):
        assert (ROOT / source).exists(), source


def test_compose_itself_accepts_the_file() -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("the compose plugin is not installed")
    secrets = dict.fromkeys(re.findall(r"\$\{([A-Z_]+):\?", TEXT), "x")
    command = ["docker", "compose", "--profile", "full", "config", "--quiet"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **secrets}, check=True)
