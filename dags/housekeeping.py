"""Files that no reader needs any more are removed from the lake, and old versions from the registry.

**Makes** room: of every data set, what killed runs left behind (a day after they wrote it) and what newer files have
replaced (an hour after). Published days are never touched. The log ends with files and megabytes by data set. Of the
model, the 20 newest versions stay, and the 20 that served last: what a roll-back would return to is never removed.

**When** 05:30 city time, after the nightly batch; jobs do the same for their own data set when they end. It is safe
while jobs run.

**When it fails** nothing is lost but disk space.

| log says | what to do |
|---|---|
| a file cannot be removed | permissions of the lake's folder, or the store's credentials; then clear the task |
| the registry does not answer | `./traffic status`; start it again; clear the task |
| no space left | `./traffic housekeeping --now`, while no job runs and nobody reads |
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable
from wiring import DEFAULTS, SETTINGS, command

with DAG(
    dag_id="housekeeping",
    dag_display_name="Housekeeping",
    description="Left-over files and old model versions removed",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("30 5 * * *", timezone=SETTINGS.city.time_zone),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=2),
    default_args=DEFAULTS,
    tags=["traffic", "upkeep"],
) as dag:
    command("sweep_lake", "housekeeping")
    command("prune_versions", "model prune")
