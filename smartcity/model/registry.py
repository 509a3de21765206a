"""The model registry: MLflow's, by its client. Aliases ``champion`` and ``challenger``; stages are gone."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from smartcity.errors import ModelError, NoChampionError, RegistryError
from smartcity.hashing import file_sha256
from smartcity.model.links import run_page
from smartcity.model.serving import ServingModel
from smartcity.model.spec import MODEL_NAME, SPARK_FOLDER, SPEC_FILE
from smartcity.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

# A progress bar for each file of a version would fill the screen of a command and the log of a task.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

CHAMPION = "champion"
CHALLENGER = "challenger"
#: Version tag with the checksum of the version's spec, which in turn carries those of its files.
SPEC_TAG = "spec_sha256"
REASON_TAG = "gate_reason"
#: Version tag with what the gate said: one of ``GATE_PROMOTED``, ``GATE_REFUSED`` and, where a person has the last
#: word, ``GATE_WAITING``.
GATE_TAG = "gate"
GATE_PROMOTED, GATE_REFUSED, GATE_WAITING = "promoted", "refused", "waiting"
#: Version tag with the champion that it replaced; what a roll-back goes back to.
REPLACED_TAG = "replaced"


@dataclass(frozen=True)
class Registered:
    """A version and the run that made it."""

    version: str
    run_id: str


def client(settings: Settings) -> "MlflowClient":
    """A client of the registry; mlflow is imported here only, because it takes seconds."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=settings.mlflow, registry_uri=settings.mlflow)


def give_up_soon() -> None:
    """From now on a registry that does not answer fails at once: MLflow's client would try for minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """What MLflow raises within, as RegistryError: for what is asked of the registry and of its runs."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise RegistryError(f"registry {settings.mlflow} does not answer: {error.message}") from error


def champion_version(settings: Settings) -> str | None:
    """Version that carries the champion alias; None where none does. Raises: RegistryError where nothing answers."""
    from mlflow.exceptions import MlflowException, RestException

    try:
        return str(client(settings).get_model_version_by_alias(MODEL_NAME, CHAMPION).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        if isinstance(error, RestException):
            raise RegistryError(f"registry {settings.mlflow}: {error.message}") from error
        raise RegistryError(f"registry {settings.mlflow} does not answer: {error.message}") from error


def newest_refusal(settings: Settings) -> str | None:
    """Why the gate kept the newest version back, for a person; None where nothing was ever registered."""
    versions = client(settings).search_model_versions(f"name='{MODEL_NAME}'")
    if not versions:
        return None
    newest = max(versions, key=lambda version: int(version.version))
    return f"version {newest.version}: {newest.tags.get(REASON_TAG, 'the gate has not judged it')}"


def load_champion(settings: Settings) -> ServingModel:
    """Load the champion. Raises: NoChampionError, or ModelError where it is broken or the registry does not answer."""
    version = champion_version(settings)
    if version is None:
        raise NoChampionError(f"no version of {MODEL_NAME} is champion yet. Train one with: traffic train")
    return load_version(settings, version)


def load_version(settings: Settings, version: str) -> ServingModel:
    """Load one version.

    Raises: RegistryError where the registry does not answer; another ModelError where the version does not exist, is
    broken, or is not ours.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        registered = client(settings).get_model_version(MODEL_NAME, version)
        with tempfile.TemporaryDirectory(prefix="traffic-model-") as folder:
            # The Spark pipeline stays where it is: serving never reads it.
            local = Path(folder)
            source = str(registered.source)
            for name in _served(source, settings):
                mlflow.artifacts.download_artifacts(
                    artifact_uri=f"{source}/{name}", dst_path=str(local), tracking_uri=settings.mlflow
                )
            if not (local / SPEC_FILE).is_file() or file_sha256(local / SPEC_FILE) != registered.tags.get(SPEC_TAG):
                raise ModelError(f"version {version} of {MODEL_NAME} is not ours: its {SPEC_FILE} fails the checksum")
            return ServingModel.load(local, version)
    except (MlflowException, OSError) as error:
        # Not to be asked is not to be broken: this raises RegistryError where the registry does not answer now.
        champion_version(settings)
        raise ModelError(f"version {version} of {MODEL_NAME} cannot be read: {error}") from error


def _served(source: str, settings: Settings) -> list[str]:
    import mlflow

    found = mlflow.artifacts.list_artifacts(artifact_uri=source, tracking_uri=settings.mlflow) or []
    return [Path(item.path).name for item in found if not item.is_dir and Path(item.path).name != SPARK_FOLDER]


def register(settings: Settings, run_id: str, source: str, spec_sha256: str, tags: dict[str, str]) -> Registered:
    """Register what a run logged at ``source`` as the next version, as challenger."""
    from mlflow.exceptions import MlflowException

    registry = client(settings)
    try:
        registry.create_registered_model(
            MODEL_NAME, description="Congestion level per place, 15 minutes ahead: Spark ML forest, served by ONNX."
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = registry.create_model_version(MODEL_NAME, source, run_id, tags={**tags, SPEC_TAG: spec_sha256})
    registry.set_registered_model_alias(MODEL_NAME, CHALLENGER, made.version)
    return Registered(str(made.version), run_id)


def record_decision(settings: Settings, version: str, promote: bool, reason: str, *, hold: bool = False) -> None:
    """Write the gate's reason on the version and, where it says so and nobody is to be asked, move the champion alias.

    Args: hold: a person has the last word: a version that the gate lets pass waits as it is.
    """
    registry = client(settings)
    said = (GATE_WAITING if hold else GATE_PROMOTED) if promote else GATE_REFUSED
    registry.set_model_version_tag(MODEL_NAME, version, REASON_TAG, reason)
    registry.set_model_version_tag(MODEL_NAME, version, GATE_TAG, said)
    if promote and not hold:
        make_champion(settings, version)


def run_address(settings: Settings, run_id: str) -> str:
    """Where a person looks at a run in MLflow."""
    experiment = client(settings).get_run(run_id).info.experiment_id
    return run_page(settings.mlflow, experiment, run_id)


def make_champion(settings: Settings, version: str) -> str | None:
    """Move the champion alias to ``version`` and note whom it replaces. Returns: the version replaced."""
    registry, before = client(settings), champion_version(settings)
    if before == version:
        return before
    if before is not None:
        registry.set_model_version_tag(MODEL_NAME, version, REPLACED_TAG, before)
    registry.set_registered_model_alias(MODEL_NAME, CHAMPION, version)
    if any(CHALLENGER in entry.aliases for entry in entries(settings) if entry.version == version):
        registry.delete_registered_model_alias(MODEL_NAME, CHALLENGER)
    return before


def roll_back(
    settings: Settings, if_serving: str | None = None, may: Callable[[], bool] = lambda: True
) -> tuple[str, str]:
    """Make the version before the champion champion again. Returns: the version that left, and the one that is back.

    The way back is the one come: rolled back twice, it is the version before that one.
    ``may``: asked once, before anything changes; where it says no, nothing does.
    Raises: NoChampionError, RegistryError where the registry does not answer, or ModelError where there is nothing to
    go back to, where it does not load, or where another version than ``if_serving`` is champion.
    """
    leaving = champion_version(settings)
    if leaving is None:
        raise NoChampionError(f"no version of {MODEL_NAME} is champion: there is nothing to roll back")
    if if_serving not in (None, leaving):
        raise ModelError(f"version {leaving} serves, not {if_serving}: nothing was rolled back")
    registry = client(settings)
    with answering(settings):
        before = registry.get_model_version(MODEL_NAME, leaving).tags.get(REPLACED_TAG)
        if before is None:
            raise ModelError(f"version {leaving} replaced no other; choose one by hand: traffic model promote VERSION")
        load_version(settings, before)
        if not may():
            raise RegistryError(f"registry {settings.mlflow} took so long that nobody waits any more")
        registry.set_registered_model_alias(MODEL_NAME, CHAMPION, before)
    return leaving, before


@dataclass(frozen=True)
class Entry:
    """One version as a person looks at it."""

    version: str
    aliases: tuple[str, ...]
    created_utc: datetime
    tags: dict[str, str]


def entries(settings: Settings) -> list[Entry]:
    """Every version, newest first. Raises: RegistryError where the registry does not answer."""
    registry = client(settings)
    with answering(settings):
        found = registry.search_model_versions(f"name='{MODEL_NAME}'")
        aliases = registry.get_registered_model(MODEL_NAME).aliases if found else {}
    return [
        Entry(
            version=str(version.version),
            aliases=tuple(sorted(name for name, at in aliases.items() if str(at) == str(version.version))),
            created_utc=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
            tags=dict(version.tags),
        )
        for version in sorted(found, key=lambda version: int(version.version), reverse=True)
    ]


def log_live(settings: Settings, version: str, metrics: dict[str, float], at: datetime) -> None:
    """Add live figures of a version to the run that made it: one more point of each metric."""
    from mlflow.entities import Metric

    registry = client(settings)
    run_id = registry.get_model_version(MODEL_NAME, version).run_id
    if run_id is None:
        return
    moment, step = int(at.timestamp() * 1000), int(at.timestamp()) // 60
    registry.log_batch(run_id, metrics=[Metric(name, value, moment, step) for name, value in metrics.items()])
