"""The programs of the embedded set-up: how each is started, and what its environment says."""

import json
import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from smartcity.services import java, kafka
from smartcity.settings import ROOT, Settings

#: Every process of ours carries these two: `down` finds them by it, whoever their parent is by then.
SERVICE_MARK = "TRAFFIC_SERVICE"
HOME_MARK = "TRAFFIC_HOME"
#: Where the embedded MLflow finds the address of its database.
MLFLOW_STORE = "MLFLOW_BACKEND_STORE_URI"
NO_LOG_SERVER = ("--skip-serve-logs",)


@dataclass(frozen=True)
class Program:
    """One supervised program. ``start_seconds``: alive that long, it counts as started.

    ``private``: names of variables whose values may hold a secret, so that no file gets them.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    start_seconds: int = 3
    stop_seconds: int = 20
    private: frozenset[str] = frozenset()


def base_environment(settings: Settings) -> dict[str, str]:
    """What every program gets: the home, this environment's programs first, and frugal memory arenas."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {
        HOME_MARK: str(settings.home),
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        # Some programs write their title over the environment, and with it over our marks.
        "SPT_NOENV": "1",
        "MALLOC_ARENA_MAX": "2",
        "MLFLOW_TRACKING_URI": settings.mlflow,
    }


def mlflow(settings: Settings) -> Program:
    """The registry: artifacts through the server, one process, no job workers (2 GB)."""
    folder = settings.home / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "smartcity.model.server", "--port", str(settings.mlflow_port)),
        *("--artifacts", str(folder / "artifacts")),
    ]
    environment = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Not among the arguments: it may hold a password, and these are everybody's to read.
        MLFLOW_STORE: settings.mlflow_database_url or f"sqlite:///{folder / 'mlflow.db'}",
    }
    private = frozenset({MLFLOW_STORE}) if settings.mlflow_database_url else frozenset()
    return Program("mlflow", command, {**base_environment(settings), **environment}, start_seconds=5, private=private)


def broker(settings: Settings) -> Program:
    """Kafka."""
    return Program("kafka", kafka.command(settings), base_environment(settings), start_seconds=5, stop_seconds=30)


def spark_connection(master: str) -> str:
    """Airflow's connection for a Spark master, as JSON: a URI with brackets would fall back to YARN."""
    host, _, port = master.rpartition(":") if master.startswith("spark://") else (master, "", "")
    connection: dict[str, object] = {"conn_type": "spark", "host": host, "extra": {"deploy-mode": "client"}}
    if port:
        connection["port"] = int(port)
    return json.dumps(connection)


def airflow_environment(settings: Settings) -> dict[str, str]:
    """Airflow's configuration: loopback only, SQLite, few processes, connections to Spark and Kafka.

    Everybody who can reach the port is administrator, without a password: it is bound to loopback and stays there.
    """
    folder = settings.home / "airflow"
    address = f"http://127.0.0.1:{settings.airflow_port}"
    # A task says within half a minute that Kafka does not take its message; the client would try for five.
    kafka_extra = {"bootstrap.servers": settings.kafka, "message.timeout.ms": 30_000}
    # Who waits for an event begins behind the newest one, whatever was read before.
    watch_extra = {"bootstrap.servers": settings.kafka, "group.id": "stream_watchdog", "auto.offset.reset": "latest"}
    return {
        **base_environment(settings),
        **java.environment(settings),
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "dags" / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # A heavy task, of which the pool of pools.py lets one run, and a light one such as the watchdog beside it.
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "30",
        # A night is a chain of a dozen tasks, each of which waits for the scheduler to look again.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        **airflow_database(settings.airflow_database_url or f"sqlite:///{folder / 'airflow.db'}"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        **lineage_environment(settings),
        "AIRFLOW_CONN_SPARK_DEFAULT": spark_connection(settings.spark_master),
        "AIRFLOW_CONN_KAFKA_DEFAULT": json.dumps({"conn_type": "kafka", "extra": kafka_extra}),
        "AIRFLOW_CONN_KAFKA_WATCH": json.dumps({"conn_type": "kafka", "extra": watch_extra}),
    }


def airflow_database(url: str) -> dict[str, str]:
    """Airflow's database. Of PostgreSQL's drivers there is one here, which does both: Airflow would guess another."""
    twice = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": url} if url.startswith("postgresql+psycopg:") else {}
    return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url, **twice}


def lineage_environment(settings: Settings) -> dict[str, str]:
    """Where Airflow's OpenLineage provider sends its events; without a setting it sends none."""
    if not settings.openlineage:
        return {"AIRFLOW__OPENLINEAGE__DISABLED": "True"}
    transport: dict[str, object] = {"type": "http", "url": settings.openlineage}
    if settings.openlineage == "file":
        transport = {"type": "file", "log_file_path": str(settings.home / "lineage.jsonl"), "append": True}
    return {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "smart-city-traffic",
        "AIRFLOW__OPENLINEAGE__EXTRACTORS": "dags.lineage.AssetLineage",
        "AIRFLOW__OPENLINEAGE__EMISSION_POLICY": '[{"scope": {}, "controls": {"include_source_code": false}}]',
        # In a process of its own, as by default, a collector that does not answer can leave a task running for ever.
        "AIRFLOW__OPENLINEAGE__EXECUTE_IN_THREAD": "True",
    }


def airflow_command(*arguments: str) -> list[str]:
    """Airflow's command line in this environment."""
    return [sys.executable, "-m", "airflow", *arguments]


def airflow(settings: Settings) -> list[Program]:
    """Airflow's four parts, each supervised by itself: in one `standalone` a dead scheduler stays dead."""
    environment = airflow_environment(settings)
    # All parts read the same folder of logs: the log servers, which listen on every address, are not needed.
    private = (
        frozenset(airflow_database(settings.airflow_database_url)) if settings.airflow_database_url else frozenset()
    )
    parts = {"api-server": (), "scheduler": NO_LOG_SERVER, "dag-processor": (), "triggerer": NO_LOG_SERVER}
    return [
        Program(f"airflow-{part}", airflow_command(part, *options), environment, start_seconds=10, private=private)
        for part, options in parts.items()
    ]


def stream(settings: Settings) -> Program:
    """The structured-streaming job."""
    archive = {"SPARK_SUBMIT_OPTS": shlex.join(java.class_archive(settings, "stream"))}
    environment = {**base_environment(settings), **java.environment(settings), **archive}
    command = [sys.executable, "-m", "streaming.stream"]
    return Program("stream", command, environment, start_seconds=10, stop_seconds=40)


def replay(settings: Settings) -> Program:
    """The producer: the data set's trips, driven again as if they happened now."""
    return Program("replay", [sys.executable, "-m", "streaming.replay"], base_environment(settings))


def api(settings: Settings) -> Program:
    """The web server: REST, WebSocket, and the front end's built files."""
    return Program("api", [sys.executable, "-m", "api"], base_environment(settings))


def all_programs(settings: Settings) -> list[Program]:
    """Every program, in the order in which they are started."""
    embedded: list[Program] = []
    if not settings.mlflow_tracking_uri:
        embedded.append(mlflow(settings))
    if not settings.kafka_bootstrap:
        embedded.append(broker(settings))
    return [*embedded, *airflow(settings), stream(settings), replay(settings), api(settings)]
