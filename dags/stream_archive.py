"""What the stream archived yesterday, to gated features: the next training learns from what was live.

**Makes** positions, windows and features of the days that are over and that neither trips nor GPS feeds gave, then the
asset `features`, from which `model_retrain` follows. Events that came too late for the stream's windows are among them.

**When** 01:00 city time, before the nightly batch. With no archived day to take in, it has nothing to do and skips.

**By hand** press *Trigger*: it does the same.

**When it fails** the data published before stay in use, and so does the model; the archive keeps the events.

| task | what it means | what to do |
|---|---|---|
| `archive`, `windows`, `features` | a Spark job; its own error is the last in the log | see `docs/runbook.md` |
| `gate_…` | a rule of the log is broken; as of a day that the stream saw a part of | accept it, or mend the source |
"""

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable, task
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
    rules_to_accept,
    span,
    spark_job,
    tell_of_features,
)

from smartcity.archive import Archive, yesterday
from smartcity.lake import Dataset

with DAG(
    dag_id="stream_archive",
    dag_display_name="Archive of the stream",
    description="Archived events to gated features",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 1 * * *", timezone=SETTINGS.city.time_zone),
    start_date=pendulum.datetime(2025, 1, 1, tz=SETTINGS.city.time_zone),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=8),
    default_args=DEFAULTS,
    tags=["traffic", "batch"],
    user_defined_macros=MACROS,
    params={"dataset": days_asked()["dataset"], "accept": rules_to_accept()},
) as dag:

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def find_days(params: dict[str, Any]) -> dict[str, str]:
        """The days to take in; nothing where none waits, and all that follows is skipped."""
        dataset = Dataset.of(SETTINGS, params["dataset"])
        waiting = sorted(Archive.of(dataset).waiting(dataset, yesterday(dataset.city)))
        print(f"archived days of {dataset.name} that are over and not in the lake: {[str(day) for day in waiting]}")
        if not waiting:
            return {}
        return {"dataset": dataset.name, "from": waiting[0].isoformat(), "to": waiting[-1].isoformat()}

    @task(outlets=[FEATURES])
    def publish_features(days: dict[str, str], outlet_events: Any) -> None:
        """Tell who waits for features that they passed their gate."""
        tell_of_features(days, outlet_events)

    found = find_days()
    chosen = "find_days"
    (
        found
        >> spark_job("archive", span(chosen), outlets=[POSITIONS])
        >> spark_job("windows", span(chosen), inlets=[POSITIONS], outlets=[WINDOWS])
        >> gate("windows", chosen, ACCEPT)
        >> spark_job("features", span(chosen), inlets=[WINDOWS])
        >> gate("features", chosen, ACCEPT)
        >> publish_features(found)
    )
