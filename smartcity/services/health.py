"""Is each service answering? One function each; a service is healthy when it does its work, not when it has a pid."""

import json
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from smartcity.services import kafka
from smartcity.services.pools import SPARK_POOL
from smartcity.settings import ROOT, Settings
from smartcity.store.age import data_age

#: The stream writes its progress with every batch; older than this, it stands still.
SILENT_SECONDS = 60
#: Files in ``dags/`` that hold none; every other is named as its DAG.
NO_DAGS = {"wiring", "operators", "lineage"}


@dataclass(frozen=True)
class Health:
    """Whether a service answers, and what it said, for a person."""

    ok: bool
    detail: str


def _get(url: str, seconds: float = 5, token: str = "") -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=seconds) as answer:
        return answer.status, answer.read()


def check_http(url: str) -> Health:
    """Whether ``url`` answers with success."""
    try:
        status, _ = _get(url)
    except OSError as error:
        return Health(False, f"{url}: {getattr(error, 'reason', None) or error}")
    return Health(status == 200, f"{url}: {status}")


def check_mlflow(settings: Settings) -> Health:
    """The registry."""
    return check_http(f"{settings.mlflow}/health")


def check_kafka(settings: Settings) -> Health:
    """The broker, by its metadata."""
    return Health(kafka.answers(settings), settings.kafka)


def check_airflow(settings: Settings) -> Health:
    """All of Airflow's parts, by their heartbeats, and the pool that its heavy tasks wait for."""
    url = f"http://127.0.0.1:{settings.airflow_port}/api/v2/monitor/health"
    try:
        _, body = _get(url)
    except OSError as error:
        return Health(False, f"{url}: {getattr(error, 'reason', None) or error}")
    parts: Mapping[str, Mapping[str, Any]] = json.loads(body)
    sick = sorted(name for name, part in parts.items() if part.get("status") not in ("healthy", None))
    if sick:
        return Health(False, f"not healthy: {', '.join(sick)}")
    return check_pool(settings)


def _signed_in(address: str, *paths: str) -> list[Any]:
    """What Airflow's API answers. Raises: OSError, ValueError or KeyError where it does not, or not as it should."""
    token = json.loads(_get(f"{address}/auth/token")[1])["access_token"]
    return [json.loads(_get(f"{address}/api/v2/{path}", token=token)[1]) for path in paths]


def check_pool(settings: Settings) -> Health:
    """Whether the pool of the heavy tasks is there and has a slot: without one they would wait, and nobody say so."""
    address = f"http://127.0.0.1:{settings.airflow_port}"
    try:
        pools = _signed_in(address, "pools?limit=100")[0]["pools"]
    except (OSError, ValueError, KeyError) as error:
        return Health(False, f"{address}: {getattr(error, 'reason', None) or error}")
    # Minus one is a pool without a limit.
    if not any(pool["name"] == SPARK_POOL and pool["slots"] != 0 for pool in pools):
        return Health(False, f"no pool {SPARK_POOL!r} with a slot, so that no Spark job starts: {address}/pools")
    return Health(True, address)


def check_dags(settings: Settings) -> Health:
    """Whether Airflow lists each of our DAGs, and could read all of their files."""
    address = f"http://127.0.0.1:{settings.airflow_port}"
    try:
        dags, errors = _signed_in(address, "dags", "importErrors")
        listed, broken = dags["dags"], errors["import_errors"]
    except (OSError, ValueError, KeyError) as error:
        return Health(False, f"{address}: {getattr(error, 'reason', None) or error}")
    if broken:
        return Health(False, f"{broken[0]['filename']}: {broken[0]['stack_trace'].strip().splitlines()[-1]}")
    missing = {path.stem for path in (ROOT / "dags").glob("*.py")} - NO_DAGS - {dag["dag_id"] for dag in listed}
    return Health(not missing, f"not listed yet: {', '.join(sorted(missing))}" if missing else address)


def check_stream(settings: Settings, within: float = SILENT_SECONDS) -> Health:
    """The streaming job, by the progress it keeps in the serving database: its last batch was ``within`` seconds."""
    age = data_age(settings)
    if age is None:
        return Health(False, "no batch finished yet")
    return Health(age.progress_seconds < within, f"last batch {age.progress_seconds:.0f} s ago")


def check_api(settings: Settings) -> Health:
    """The web server."""
    return check_http(f"http://127.0.0.1:{settings.api_port}/api/health")


CHECKS: dict[str, Callable[[Settings], Health]] = {
    "mlflow": check_mlflow,
    "kafka": check_kafka,
    "airflow": check_airflow,
    "stream": check_stream,
    "api": check_api,
}
