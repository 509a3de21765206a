"""New trip files to gated features, every night.

**Makes** trips, positions, windows and features of the days that have new trips, then the asset `features`, from which
`model_retrain` follows. Every table passes a data-quality gate before the next job reads it.

**When** 02:00 city time. It takes the trip files waiting in the inbox, `var/inbox/DATASET/` (`.csv`, `.csv.gz` or
`.parquet` as published; copy under another ending and rename when complete), and moves them to `done/` when they are in
the lake. With no new file and nothing left over from a run before, it has nothing to do and skips.

**Fetches** first what is new where `TRAFFIC_DOWNLOAD` names the publisher's files: each month once, checked, and
continued where a try before broke off.

**Once a week** of new days has come (`TRAFFIC_PROFILE_DAYS`), history and the split between training and test days are
made anew, and with them the features of all days: from then on a training learns from the new ones.

**By hand** press *Trigger*. Without dates it does what the night would: the days with new trips. With dates it looks at
those days, new or not; with *Rules to accept* and no dates, at all. A run replaces whole days: running it twice gives
the same lake.

**When it fails** the data published before stay in use, and so does the model.

| task | what it means | what to do |
|---|---|---|
| `download_new_files` | the publisher does not answer, or a checksum differs; what came is kept | clear the task |
| `clean` | a file cannot be read as what it claims to be; the log names file and row | repair or remove the file |
| `gate_…` | a rule of the log is broken: column, share, examples; Data Docs has the page | mend the source (1) |
| `positions`, `windows`, `features` | a Spark job; its own error is the last in the log | see `docs/runbook.md` |

(1) Or, where the data are right after all, trigger again with the rule as `SUITE.RULE` in *Rules to accept*.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable, Param, TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from wiring import (
    ACCEPT,
    DEFAULTS,
    FEATURES,
    FILES,
    MACROS,
    POSITIONS,
    SETTINGS,
    TRIPS,
    WINDOWS,
    days_asked,
    gate,
    rules_to_accept,
    span,
    spark_job,
    tell_of_features,
)

from smartcity import download, inbox
from smartcity.lake import Dataset

with DAG(
    dag_id="traffic_nightly",
    dag_display_name="Nightly batch",
    description="New trip files to gated features",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 2 * * *", timezone=SETTINGS.city.time_zone),
    start_date=pendulum.datetime(2025, 1, 1, tz=SETTINGS.city.time_zone),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=8),
    default_args=DEFAULTS,
    tags=["traffic", "batch"],
    user_defined_macros=MACROS,
    params={
        **days_asked(),
        "zones": Param(
            SETTINGS.zones or None,
            type=["null", "string"],
            title="Zone polygons",
            description="Shapefile for trip files with location ids instead of coordinates.",
        ),
        "accept": rules_to_accept(),
    },
) as dag:

    @task(outlets=[FILES])
    def download_new_files(params: dict[str, Any], dag_run: Any) -> None:
        """The months that the publisher has and the inbox never had, up to the run's own."""
        if params["dataset"] != SETTINGS.dataset:
            print(f"nothing is fetched: the publisher's files are for {SETTINGS.dataset}, not for {params['dataset']}")
            return
        until = dag_run.run_after.astimezone(SETTINGS.city.zone).date()
        fetched = download.fetch_new(SETTINGS, inbox.folder(SETTINGS, SETTINGS.dataset), until)
        print(f"fetched {len(fetched)} files, {sum(file.size for file in fetched):,} bytes")

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def find_new_files(params: dict[str, Any]) -> list[str]:
        """Arguments of the cleaning job; nothing where no file waits, and cleaning is skipped."""
        files = inbox.new_files(SETTINGS, params["dataset"])
        print(f"{len(files)} new files in {inbox.folder(SETTINGS, params['dataset'])}: {[file.name for file in files]}")
        zones = ["--zones", params["zones"]] if params["zones"] else []
        return ["--dataset", params["dataset"], *zones, *map(str, files)] if files else []

    @task
    def put_away(arguments: list[str]) -> None:
        """Move the files that are in the lake now out of the inbox."""
        files = [Path(argument) for argument in arguments if argument.lower().endswith(inbox.ENDINGS)]
        inbox.put_away(files)
        print(f"moved {len(files)} files to {inbox.DONE}/")

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def choose_days(params: dict[str, Any]) -> dict[str, str]:
        """The days to process: those asked for, else those with new trips and the days beside them."""
        dataset = Dataset.of(SETTINGS, params["dataset"])
        whole = inbox.all_days(dataset)
        if whole is None:
            # Another try would find no more.
            raise AirflowFailException(
                f"data set {dataset.name!r} has no trips. Put trip files into {inbox.folder(SETTINGS, dataset.name)} "
                f"or run: ./traffic ingest trips --name {dataset.name} FILE…"
            )
        # What is accepted is a verdict on days that may be up to date but for their gate.
        asked = params["from"] or params["to"] or params["accept"]
        work = whole if asked else inbox.days_to_process(dataset, SETTINGS.profile_days)
        if work is None:
            raise AirflowSkipException(
                f"every day's features are as new as its trips, from {whole.start} to {whole.end}: nothing to do. "
                "To process days again, trigger with dates, or Backfill"
            )
        start = date.fromisoformat(params["from"]) if params["from"] else work.start
        end = date.fromisoformat(params["to"]) if params["to"] else work.end
        print(f"processing {dataset.name} from {start} to {end}")
        return {"dataset": dataset.name, "from": start.isoformat(), "to": end.isoformat()}

    @task(inlets=[WINDOWS], outlets=[FEATURES])
    def publish_features(days: dict[str, str], outlet_events: Any) -> None:
        """Tell who waits for features that they passed their gate."""
        tell_of_features(days, outlet_events)

    found = find_new_files()
    if SETTINGS.download:
        download_new_files() >> found
    gate_raw = gate("raw", words={**ACCEPT, "--dataset": "{{ params.dataset }}", "--zones": "{{ params.zones or '' }}"})
    clean = spark_job("clean", found, inlets=[FILES], outlets=[TRIPS])
    days = choose_days()
    chosen = "choose_days"
    (
        found
        >> gate_raw
        >> clean
        >> put_away(found)
        >> days
        >> gate("trips", chosen, ACCEPT)
        >> spark_job("positions", span(chosen), inlets=[TRIPS], outlets=[POSITIONS])
        >> spark_job("windows", span(chosen), inlets=[POSITIONS], outlets=[WINDOWS])
        >> gate("windows", chosen, ACCEPT)
        >> spark_job("features", span(chosen), inlets=[WINDOWS])
        >> gate("features", chosen, ACCEPT)
        >> publish_features(days)
    )
