"""Small files of the lake are merged, what no reader needs is removed, and old versions leave the registry.

**Merges** the small files of each day but the newest, in all tables: the same rows in the same order, and the day still
knows what it was made from, so that nothing is made again because of it.

**Makes** room: of every data set, what killed runs left behind (a day after they wrote it) and what newer files have
replaced (an hour after); checkpoints of the stream in which nothing was written for 30 days, never those of the data
set in use. The log ends with files and megabytes by data set. Of the model, the 20 newest versions stay, and the 20
that served last: what a roll-back would return to is never removed.

**When** 05:30 city time, after the nightly batch; it is safe while jobs run. A job that adds to a day just merged
publishes nothing, says so, and is tried again.

**When it fails** nothing is lost but disk space.

| log says | what to do |
|---|---|
| a file cannot be removed | permissions of the lake's folder, or the store's credentials; then clear the task |
| the registry does not answer | `./traffic status`; start it again; clear the task |
| no space left | `./traffic housekeeping --now`, while no job runs and nobody reads |
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable
from wiring import DEFAULTS, SETTINGS, SPARK_POOL, command

with DAG(
    dag_id="housekeeping",
    dag_display_name="Housekeeping",
    description="Small files merged; left-over files, checkpoints and model versions removed",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("30 5 * * *", timezone=SETTINGS.city.time_zone),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=2),
    default_args=DEFAULTS,
    tags=["traffic", "upkeep"],
) as dag:
    # In the pool of the Spark jobs, so that none runs beside it: it would have to begin again.
    command("tidy_lake", "housekeeping --compact", pool=SPARK_POOL)
    command("prune_versions", "model prune")
