"""The steps of ``traffic up``, in order."""

import hashlib
import importlib.metadata
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from smartcity import truth
from smartcity.cli.steps import Step, Steps
from smartcity.errors import ServiceError
from smartcity.lake import Dataset
from smartcity.localtime import last_day_like
from smartcity.services import health, jars, java, kafka, preflight, processes, programs, steps
from smartcity.services.supervisor import RUNNING, Supervisor
from smartcity.settings import Settings

#: Generous: a loaded machine takes minutes to import what a free one does in seconds.
HEALTHY_SECONDS = 300
#: Asking costs the cores that the services start on.
POLL_SECONDS = 1.0
#: What the generator writes last.
GENERATED_MARK = "generated.json"
#: The first model is a smaller one: it is there to be seen soon, and the next training makes the full size.
FIRST_MODEL = ("--trees", "30", "--depth", "11", "--max-rows", "120000", "--trials", "1")
#: supervisord's word for a program that it has given up on.
FATAL = "FATAL"


@dataclass(frozen=True)
class Plan:
    """What one ``up`` was asked for."""

    settings: Settings
    days: int
    trips_per_day: int
    seed: int
    skip: frozenset[str]

    @property
    def dataset(self) -> Dataset:
        """The data set that the city is made of."""
        return Dataset.of(self.settings)

    def programs(self) -> list[programs.Program]:
        """The programs to run."""
        return [p for p in programs.all_programs(self.settings) if p.name.split("-")[0] not in self.skip]


def run(show: Steps, supervisor: Supervisor, plan: Plan) -> None:
    """Everything. Raises: TrafficError from the step that cannot be done."""
    settings = plan.settings
    show.run("Machine", lambda step: check_machine(supervisor, plan))
    show.run("Java", lambda step: describe_java(settings))
    show.run("Java archives (Kafka, Spark's connector)", lambda step: fetch_jars(settings, step))
    show.run("Supervisor", lambda step: start_supervisor(supervisor, plan))
    names = [program.name for program in plan.programs()]
    airflow = [name for name in names if name.startswith("airflow")]
    first = [name for name in names if name in ("mlflow", "kafka")]
    if plan.dataset.features.dates() and migration_mark(settings).exists():
        # Nothing long is to be made: all start at once. The stream waits for its broker, and follows the champion.
        first += [name for name in ("stream", "replay", "api", *airflow) if name in names]
    for name in first:
        supervisor.start_program(name)
    show.run("City", lambda step: make_city(plan, step))
    show.run("Model registry", partial(wait_healthy, supervisor, settings, "mlflow"))
    show.run("Model", lambda step: train(settings, step))
    show.run("Kafka and its topics", lambda step: start_kafka(supervisor, settings, step))
    for name in ("stream", "api", "replay"):
        if name in names:
            supervisor.start_program(name)
    if airflow:
        show.run("Airflow's database", lambda step: migrate_airflow(settings, step))
    for name in airflow:
        supervisor.start_program(name)
    show.run("Stream", lambda step: wait_scored(supervisor, plan, step))
    show.run("Api", partial(wait_healthy, supervisor, settings, "api"))
    if airflow:
        show.run("Airflow", partial(wait_healthy, supervisor, settings, "airflow"))
        show.run("DAGs", lambda step: wait_until(supervisor, settings, "airflow", health.check_dags, step))


def check_machine(supervisor: Supervisor, plan: Plan) -> str:
    """Disk, memory and ports; processes left over from a supervisor that was killed are ended first."""
    settings = plan.settings
    found = preflight.check_disk(settings)
    own = processes.ours(settings)
    supervised = supervisor.is_running()
    stray = [process for process, service in own.values() if not supervised or service.startswith(steps.STEP_MARK)]
    if left := processes.end(stray):
        raise ServiceError(f"processes of an earlier start can't be ended: {[process.pid for process in left]}")
    own = {pid: found for pid, found in own.items() if found[0] not in stray}
    if not own:
        found += f", {preflight.check_memory()}"
    return f"{found}, ports {preflight.check_ports(settings, own, plan.skip)}"


def describe_java(settings: Settings) -> str:
    """Which Java it is."""
    home = java.java_home(settings)
    runtime = java.find_runtime()
    return f"{runtime.version}, {'packaged' if home != runtime.home else home}"


def fetch_jars(settings: Settings, step: Step) -> str:
    """The archives that are missing."""
    count = 0
    for pool in (jars.BROKER, jars.CONNECTOR):
        if jars.missing(settings, pool):
            step.say("fetching")
        count += len(jars.fetch(settings, pool))
    return f"{count} in {settings.jar_folder}"


def start_supervisor(supervisor: Supervisor, plan: Plan) -> str:
    """Supervisord with the plan's programs, none of them started."""
    kafka.prepare(plan.settings)
    return "started" if supervisor.start(plan.programs()) else "runs already"


def make_city(plan: Plan, step: Step) -> str:
    """The generated city as trip files, ingested and aggregated; kept where the data set has features already."""
    settings, dataset = plan.settings, plan.dataset
    days = dataset.features.dates()
    if not days:
        environment = {**programs.base_environment(settings), **java.environment(settings)}
        source = settings.home / "generated" / f"{plan.days}x{plan.trips_per_day}-seed{plan.seed}"
        if not (source / GENERATED_MARK).exists():
            size = ("--days", str(plan.days), "--trips-per-day", str(plan.trips_per_day), "--seed", str(plan.seed))
            # The last day is held out and replayed as today: forecasts for a Monday from a Sunday would be no test.
            last = last_day_like(datetime.now(UTC).astimezone(plan.dataset.city.zone).date())
            start = ("--start", str(last - timedelta(days=plan.days - 1)))
            command = [sys.executable, "-m", "smartcity", "generate", *size, *start, "--out", str(source)]
            with step.bars("generating trips and vehicles") as bars:
                steps.run(settings, "generate", command, environment, bars.line)
        pipeline = [sys.executable, "-m", "spark_jobs.pipeline", "generated", "--dataset", dataset.name]
        with step.bars("starting Spark") as bars:
            steps.run(settings, "pipeline", [*pipeline, str(source)], environment, bars.line)
        truth.load(dataset, source / "truth")
        days = dataset.features.dates()
        if not days:
            raise ServiceError(f"the batch made no features; see {settings.home / 'logs' / 'pipeline.log'}")
    return f"{dataset.name}: {len(days)} days, {days[0]} to {days[-1]}"


def train(settings: Settings, step: Step) -> str:
    """A champion; where nothing was ever registered, one is trained."""
    from smartcity.model import registry

    version = registry.champion_version(settings)
    # A model that the gate refused would be refused again: the same data give the same model.
    if version is None and registry.newest_refusal(settings) is None:
        environment = {**programs.base_environment(settings), **java.environment(settings)}
        command = [sys.executable, "-m", "spark_jobs.train", "--dataset", settings.dataset, *FIRST_MODEL]
        steps.run(settings, "train", command, environment, step.say)
        version = registry.champion_version(settings)
    if version is None:
        return f"no champion, forecasts are persistence ({registry.newest_refusal(settings)})"
    return f"congestion version {version}"


def start_kafka(supervisor: Supervisor, settings: Settings, step: Step) -> str:
    """The broker answering, its topics made."""
    wait_healthy(supervisor, settings, "kafka", step)
    created = kafka.create_topics(settings)
    return f"{settings.kafka}, {f'{len(created)} topics made' if created else 'topics there'}"


def migration_mark(settings: Settings) -> Path:
    """There once the tables of Airflow's database are those of the installed version."""
    url = settings.airflow_database_url
    other = f"-{hashlib.sha256(url.encode()).hexdigest()[:8]}" if url else ""
    return settings.home / "airflow" / f"migrated-{importlib.metadata.version('apache-airflow')}{other}"


def migrate_airflow(settings: Settings, step: Step) -> str:
    """Airflow's tables, made or brought up to date once per version."""
    mark = migration_mark(settings)
    if not mark.exists():
        mark.parent.mkdir(parents=True, exist_ok=True)
        command = programs.airflow_command("db", "migrate")
        steps.run(settings, "airflow-migrate", command, programs.airflow_environment(settings), step.say)
        mark.touch()
    return mark.name.replace("migrated-", "Airflow ")


def wait_healthy(supervisor: Supervisor, settings: Settings, service: str, step: Step) -> str:
    """Until the service answers. Raises: as ``wait_until``."""
    return wait_until(supervisor, settings, service, health.CHECKS[service], step)


def wait_scored(supervisor: Supervisor, plan: Plan, step: Step) -> str:
    """Until the stream has scored a batch since it started; without a replay there may be none to score."""

    def check(settings: Settings) -> health.Health:
        stream = supervisor.states().get("stream")
        seconds = stream.uptime_seconds if stream and stream.pid else 0
        if "replay" in plan.skip:
            return health.Health(stream is not None and stream.state == RUNNING, "waits for events (replay skipped)")
        return health.check_stream(settings, within=min(seconds, health.SILENT_SECONDS))

    return wait_until(supervisor, plan.settings, "stream", check, step)


def wait_until(
    supervisor: Supervisor, settings: Settings, service: str, check: Callable[[Settings], health.Health], step: Step
) -> str:
    """Until ``check`` is content. Returns: its detail.

    Raises: ServiceError with the log's end where the service gave up or the time is over, and where all was stopped.
    """
    end = time.monotonic() + HEALTHY_SECONDS
    while True:
        found = check(settings)
        if found.ok:
            return found.detail
        step.say(found.detail)
        known = supervisor.states()
        if not known:
            raise ServiceError("the supervisor is gone: somebody stopped it, or ended it. Run ./traffic up again")
        given_up = [name for name, state in known.items() if name.split("-")[0] == service and state.state == FATAL]
        if given_up or time.monotonic() > end:
            logs = settings.home / "logs"
            name = given_up[0] if given_up else service
            said = "keeps dying" if given_up else f"does not answer after {HEALTHY_SECONDS} s ({found.detail})"
            raise ServiceError(f"{name} {said}; the end of {logs}/{name}.log:\n{_tail(settings, name)}")
        time.sleep(POLL_SECONDS)


def _tail(settings: Settings, name: str, lines: int = 15) -> str:
    files = sorted((settings.home / "logs").glob(f"{name}*.log"))
    if not files:
        return "  (no log)"
    return "\n".join(f"  {line}" for line in files[0].read_text(errors="replace").splitlines()[-lines:])
