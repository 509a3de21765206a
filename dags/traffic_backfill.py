"""Days that are in the lake made again, or for the first time, in parallel.

**Makes** positions, windows and features of the days you name, by the same programs as the nightly run, through the
same gates; features also of the days beside them, which rest on their windows. The days are cut into stretches; each
stretch is a task of its own, and as many run at once as the pool `spark` has slots, two at most. What is up to date is
left as it is, unless it is ticked under *Make again*.

**When** by hand only: press *Trigger* and fill in the form. Use it after a repair at the source, a change of
definitions, or a large delivery; new files go through `traffic_nightly`.

**When it fails** the data published before stay in use, and so does the model. Clear the red stretches: the others are
not made again.

| task | what it means | what to do |
|---|---|---|
| `choose_days` | the data set has no trips in these days | `./traffic ingest`, or other days |
| `gate_…` | a rule of the log is broken; Data Docs has the page | mend the source, or accept the rule |
| `positions`, `windows`, `features` | a Spark job; its own error is the last in the log | see `docs/runbook.md` |
"""

from datetime import date, timedelta
from typing import Any

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from wiring import (
    ACCEPT,
    DEFAULTS,
    FEATURES,
    MACROS,
    POSITIONS,
    SETTINGS,
    WINDOWS,
    days_asked,
    gate,
    mapped_spark_job,
    rules_to_accept,
    tell_of_features,
)

from smartcity import inbox
from smartcity.lake import Dataset

JOBS = ("positions", "windows", "features")
#: Beside the pool, which holds the heavy tasks of all DAGs: so many stretches of one run at once at most.
AT_ONCE = 2

with DAG(
    dag_id="traffic_backfill",
    # Airflow has a function of its own that is called Backfill.
    dag_display_name="Backfill of chosen days",
    description="Chosen days made again, in parallel stretches",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(days=2),
    default_args=DEFAULTS,
    tags=["traffic", "batch"],
    user_defined_macros=MACROS,
    params={
        **days_asked(),
        "redo": Param(
            [*JOBS],
            type="array",
            items={"type": "string", "enum": [*JOBS]},
            examples=[*JOBS],
            title="Make again",
            description="Also where it is up to date. What is not named is made where it is missing or older.",
        ),
        "days_per_task": Param(
            7, type="integer", minimum=1, maximum=366, title="Days per task", description="A start of Spark each."
        ),
        "accept": rules_to_accept(),
        "train": Param(True, type="boolean", title="Train afterwards", description="By updating the asset features."),
    },
) as dag:

    @task
    def choose_days(params: dict[str, Any]) -> dict[str, str]:
        """The days asked for, as far as there are trips."""
        dataset = Dataset.of(SETTINGS, params["dataset"])
        first, last = (params[name] and date.fromisoformat(params[name]) for name in ("from", "to"))
        # Another try would find neither more days nor others.
        if first and last and first > last:
            raise AirflowFailException(f"the first day, {first}, is after the last, {last}: swap them")
        days = [d for d in dataset.trips.dates() if (not first or d >= first) and (not last or d <= last)]
        if not days:
            raise AirflowFailException(
                f"data set {dataset.name!r} has no trips from {first or 'the beginning'} to {last or 'the end'}. Put "
                f"trip files into {inbox.folder(SETTINGS, dataset.name)} or name other days"
            )
        print(f"{len(days)} days of {dataset.name}, {days[0]} to {days[-1]}")
        return {"dataset": dataset.name, "from": days[0].isoformat(), "to": days[-1].isoformat()}

    @task
    def cut(days: dict[str, str], params: dict[str, Any]) -> list[list[str]]:
        """Arguments of a job for each stretch."""
        return stretches_of(days, params)

    @task
    def cut_features(days: dict[str, str], params: dict[str, Any]) -> list[list[str]]:
        """The same with the days beside them, whose features rest on windows of these: labels before, lags after."""
        asked = inbox.Work(date.fromisoformat(days["from"]), date.fromisoformat(days["to"]))
        reach = inbox.with_neighbours(Dataset.of(SETTINGS, days["dataset"]), asked)
        return stretches_of({**days, "from": str(reach.start), "to": str(reach.end)}, params)

    def stretches_of(days: dict[str, str], params: dict[str, Any]) -> list[list[str]]:
        """Arguments of a job for each stretch of ``days``."""
        first, last = date.fromisoformat(days["from"]), date.fromisoformat(days["to"])
        step = timedelta(days=params["days_per_task"])
        starts = [first + step * number for number in range(-(-((last - first).days + 1) // step.days))]
        found = [(start, min(start + step - timedelta(days=1), last)) for start in starts]
        print(f"{len(found)} stretches of up to {step.days} days")
        return [["--dataset", days["dataset"], "--from", str(start), "--to", str(end)] for start, end in found]

    @task(inlets=[WINDOWS], outlets=[FEATURES])
    def publish_features(days: dict[str, str], params: dict[str, Any], outlet_events: Any) -> None:
        """Tell who waits for features that they passed their gate."""
        if not params["train"]:
            raise AirflowSkipException("no training asked for")
        tell_of_features(days, outlet_events)

    days = choose_days()
    stretches = cut(days)
    chosen = "choose_days"

    def made_by(job: str, stretches: Any = stretches, at_once: int = AT_ONCE, **assets: Any) -> Any:
        """The job once for each stretch."""
        redo = f"{{{{ '{job}' in params.redo }}}}"
        return mapped_spark_job(job, stretches, redo=redo, max_active_tis_per_dagrun=at_once, **assets)

    (
        days
        >> gate("trips", chosen, ACCEPT)
        >> made_by("positions", outlets=[POSITIONS])
        >> made_by("windows", outlets=[WINDOWS])
        >> gate("windows", chosen, ACCEPT)
        # One at a time: the first may fit the profile that all of them use.
        >> made_by("features", cut_features(days), at_once=1)
        >> gate("features", chosen, ACCEPT)
        >> publish_features(days)
    )
