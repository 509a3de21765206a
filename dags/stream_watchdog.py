"""Whether the live side does its work; red when it does not.

**Waits** in `events_come_in` for an event that comes into the topic `vehicle_positions` from now on; its log shows it.
**Looks** in `watch_stream` at the topic's newest event, at the stream's last batch, and at how many events wait to be
scored. The log has these as figures; what is out of order stands below them, with the way out.

**When** every half hour. A fault is looked at again twice, within minutes, before `watch_stream` is red: a restart is
none. `events_come_in` is red after as many silent minutes as the form allows.

**By hand** press *Trigger*, with other limits where you like.

**When it fails** the batch and the model are not touched; the dashboard marks what it shows as stale.

| log says | what to do |
|---|---|
| Kafka does not answer | `./traffic status` and `var/logs/kafka.log`; `./traffic up` starts what is missing |
| no event came within the minutes given, or the topic holds none | the replay or the feed stopped: start it again |
| the stream's last batch ended minutes ago | `var/logs/stream.log` says why; `./traffic up` starts it again |
| events wait to be scored | slow the replay down, or give the stream more cores |
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param
from wiring import DEFAULTS, SETTINGS, await_event, command

from smartcity import topics

with DAG(
    dag_id="stream_watchdog",
    dag_display_name="Stream watchdog",
    description="Events come in and are scored in time",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("*/30 * * * *", timezone=SETTINGS.city.time_zone),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=30),
    default_args=DEFAULTS,
    tags=["traffic", "live"],
    params={
        "silent_minutes": Param(
            10,
            type="number",
            exclusiveMinimum=0,
            title="Silent minutes",
            description="Allowed without an event in the topic, or without a batch of the stream.",
        ),
        "lag_events": Param(
            1_000_000, type="integer", minimum=0, title="Waiting events", description="Allowed to wait to be scored."
        ),
    },
) as dag:
    await_event(
        "events_come_in", topics.VEHICLE_POSITIONS, "{{ params.silent_minutes }}", execution_timeout=dag.dagrun_timeout
    )
    command(
        "watch_stream",
        "watch",
        {"--silent-minutes": "{{ params.silent_minutes }}", "--lag-events": "{{ params.lag_events }}"},
        execution_timeout=timedelta(minutes=5),
    )
