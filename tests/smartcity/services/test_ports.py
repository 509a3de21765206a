import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcity.errors import InstallError, ServiceError
from smartcity.services import ports, preflight
from smartcity.settings import Settings


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_somebody_listens_on_is_not_free(taken: int) -> None:
    assert not ports.is_free(taken)
    assert ports.is_free(ports.free_port())


def test_names_the_port_the_process_and_the_setting_that_moves_it(tmp_path: Path, taken: int) -> None:
    settings = Settings(home=tmp_path, api_port=taken)
    with pytest.raises(
        ServiceError, match=rf"port {taken}, wanted by api, .* process {os.getpid()} .*TRAFFIC_API_PORT"
    ):
        preflight.check_ports(settings, own=[], skip=["airflow", "mlflow", "kafka"])


def test_a_port_that_our_own_service_has_is_well(tmp_path: Path, taken: int) -> None:
    settings = Settings(home=tmp_path, api_port=taken)
    assert preflight.check_ports(settings, own=[os.getpid()], skip=["airflow", "mlflow", "kafka"]) == str(taken)


def test_an_external_broker_needs_no_ports_here(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka_bootstrap="broker:9092", mlflow_tracking_uri="http://mlflow:5000")
    assert {port.service for port in preflight.wanted_ports(settings)} == {"api", "airflow"}


def test_says_when_home_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallError, match="TRAFFIC_HOME"):
        preflight.check_disk(Settings(home=tmp_path / "file" / "home"))


def test_says_when_the_disk_is_too_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "NEEDED_DISK_BYTES", 10**18)
    with pytest.raises(InstallError, match="GB free on the disk"):
        preflight.check_disk(Settings(home=tmp_path))
