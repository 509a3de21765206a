"""One ``Settings``, read from the environment (``TRAFFIC_*``) and ``.env``; built in mains and passed down."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from smartcity.city import City

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Where things are and how they listen. Secrets have no default. ``.env.example`` documents each one."""

    model_config = SettingsConfigDict(
        env_prefix="TRAFFIC_", env_file=ROOT / ".env", env_nested_delimiter="__", extra="ignore", frozen=True
    )

    home: Path = Field(default=ROOT / "var", description="Everything written at run time lives under this folder.")
    lake: str = Field(default="", description="Root of the lake, a path or object-store URL; empty: HOME/lake.")
    dataset: str = Field(default="city", description="The data set that jobs, replay and training use by default.")
    city: City = Field(default=City(), description="Default city for new data sets; fields as TRAFFIC_CITY__NAME.")

    download: str = Field(
        default="",
        description="Address of the publisher's files, {year} and {month} in it; the nightly run fetches new ones.",
    )
    download_from: str = Field(
        default="2025-01", pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="The first month to fetch."
    )
    download_sha256: str = Field(
        default="", description="Address of each file's SHA-256; empty: the one that the server tells, if any."
    )
    zones: str = Field(
        default="", description="Zone polygons that the nightly run places trips by whose files hold location ids."
    )

    bind_host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    api_token: SecretStr | None = Field(default=None, description="Required as soon as the API listens further.")
    api_port: int = 5000
    mlflow_port: int = 5001
    airflow_port: int = 8085
    kafka_port: int = 9092
    kafka_controller_port: int = 9093

    maven_repository: str = Field(default="", description="Mirror to fetch Java archives from; empty: Maven Central.")
    jars: str = Field(default="", description="Folder of fetched Java archives; empty: HOME/jars.")
    kafka_bootstrap: str = Field(default="", description="Brokers as host:port,…; empty: the embedded one.")
    kafka_replication: int = Field(
        default=1, ge=1, le=9, description="Copies of each message in new topics: at most as many as there are brokers."
    )
    mlflow_tracking_uri: str = Field(default="", description="MLflow server; empty: the embedded one.")
    database_url: str = Field(default="", description="Serving database (SQLAlchemy URL); empty: SQLite in HOME.")
    mlflow_database_url: str = Field(default="", description="The embedded MLflow's database; empty: SQLite in HOME.")
    airflow_database_url: str = Field(default="", description="Airflow's database; empty: SQLite in HOME.")

    forest_trees: int = Field(default=50, ge=1, le=500, description="Trees of each forest that a training fits.")
    forest_depth: int = Field(default=12, ge=1, le=20, description="Depth of a tree.")
    profile_days: int = Field(
        default=7,
        ge=0,
        description="New days after which history, split and features are made anew; 0: only by hand.",
    )
    training_rows: int = Field(default=200_000, ge=100, description="Rows to train on at most, evenly thinned.")
    training_trials: int = Field(
        default=4, ge=1, le=17, description="Hyper-parameters that a training tries first; 1: none but its own."
    )

    promotion_approval: bool = Field(
        default=False, description="Whether a new version that the gate lets pass waits for a person in Airflow."
    )
    openlineage: str = Field(
        default="",
        pattern=r"^(file|https?://\S+)?$",
        description="Where Airflow tells which task read and made what: file (HOME/lineage.jsonl) or an address.",
    )
    drift_stability: float = Field(
        default=0.25, gt=0, description="Population stability index of a feature from which on it counts as drift."
    )
    drift_macro_f1_drop: float = Field(
        default=0.05, gt=0, description="How far live macro-F1 may fall under that of the hold-out days."
    )

    spark_master: str = Field(default="local[2]", description="local[N] or spark://host:7077.")
    spark_driver_host: str = Field(
        default="127.0.0.1", description="Name under which Spark's executors reach the driver; its own, on a cluster."
    )
    spark_driver_memory: str = "2g"
    stream_driver_memory: str = "1g"
    stream_trigger_seconds: float = Field(default=1.0, gt=0)
    stream_metrics_host: str = Field(default="127.0.0.1", description="Where the stream's figures are to be had.")
    stream_metrics_port: int = Field(default=5010, ge=0, le=65535, description="For Prometheus; 0: none.")
    allowed_lateness_minutes: int = Field(default=4, ge=0, description="Later events are counted, not aggregated.")
    future_tolerance_seconds: int = Field(default=60, ge=0, description="Events further ahead of now are rejected.")
    archive_positions: bool = Field(
        default=True, description="Whether the stream keeps its events in the lake, for the nightly batch."
    )
    archive_days: int = Field(
        default=7, ge=1, le=3650, description="Days that they stay there after the batch has made positions of them."
    )
    history_days: int = Field(
        default=30, ge=1, le=3650, description="Days of scored windows that the serving database keeps."
    )
    rollup_days: int = Field(
        default=400, ge=1, le=36500, description="Days of hourly sums of windows that the serving database keeps."
    )
    push_seconds: float = Field(
        default=2.0, gt=0, description="Interval of WebSocket updates; in step with the stream, so it varies a little."
    )
    api_threads: int = Field(
        default=256, ge=8, le=10_000, description="Requests and Socket.IO clients that the API serves at once."
    )
    api_sockets: int = Field(default=10_000, ge=1, description="Plain WebSocket clients at most, beside the threads.")
    cors_origins: str = Field(
        default="", description="Pages of other hosts that may use the API: https://one.example,https://two.example."
    )
    rate_per_second: float = Field(
        default=100.0, ge=0, description="Requests a second that one address may make for long; 0: no limit."
    )
    rate_burst: int = Field(default=400, ge=1, description="Requests that it may make at once.")
    trusted_proxies: int = Field(
        default=0, ge=0, le=5, description="Proxies in front whose X-Forwarded-For and -Proto are believed."
    )
    log_json: bool = Field(default=False, description="Whether the API logs JSON lines, one for each request.")
    webhook_private: bool = Field(
        default=False, description="Whether webhooks may go to loopback and private addresses."
    )
    units: Literal["imperial", "metric"] = Field(
        default="imperial", description="Miles or kilometres on the pages, until somebody chooses there."
    )
    map_style: str = Field(
        default="", description="Address of a public MapLibre style for the map; empty: the outline, drawn offline."
    )
    kafka_ui: str = Field(default="", description="Address under which browsers reach Kafka UI; empty: no link to it.")
    max_map_vehicles: int = Field(default=5000, ge=0, description="Vehicles sent to a map; thinned fairly above it.")

    @field_validator("home")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        """The same folder for every process, wherever each was started."""
        return value.expanduser().resolve()

    @cached_property
    def lake_root(self) -> str:
        """Root of the lake."""
        return self.lake or str(self.home / "lake")

    @cached_property
    def checkpoints(self) -> Path:
        """Where the stream keeps its offsets and state: a folder for each query and data set."""
        return self.home / "checkpoints"

    @cached_property
    def jar_folder(self) -> Path:
        """Where fetched Java archives are kept."""
        return Path(self.jars) if self.jars else self.home / "jars"

    @cached_property
    def kafka(self) -> str:
        """Bootstrap servers."""
        return self.kafka_bootstrap or f"127.0.0.1:{self.kafka_port}"

    @cached_property
    def mlflow(self) -> str:
        """MLflow tracking and registry URI."""
        return self.mlflow_tracking_uri or f"http://127.0.0.1:{self.mlflow_port}"

    @cached_property
    def database(self) -> str:
        """SQLAlchemy URL of the serving database."""
        return self.database_url or f"sqlite:///{self.home / 'serving.db'}"
