"""Whether the model that serves is worth it; goes back to the one before, or asks for a new one, where it is not.

**Looks** at the forecasts of the last day: first whether they are sound (`gate_predictions`), then how they came true
beside persistence, how the features are spread beside training, and which of that asks for something. The figures go to
the table `live_scores` and to the version's run in MLflow.

**Does** one of three: nothing; `roll_back`, where a version that became champion in the last two days scores below
persistence; `ask_for_training`, where the model has drifted and the newest training is a day old. The latter updates
the asset `drift`, from which `model_retrain` follows.

**When** every hour, or by hand. Before the stream has scored anything it has nothing to do and skips.

**When it fails** the champion keeps serving.

| log says | what to do |
|---|---|
| a rule of `gate_predictions` is broken | Data Docs has the page, `docs/runbook.md` the cause; is the stream at work? |
| the registry does not answer | `./traffic status`; start it again; clear the task |
| replaced no other | there is nothing to go back to: `./traffic model promote VERSION` |
| Kafka did not take the message | the roll-back is done all the same; `./traffic status`, then clear `announce` |
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, task
from wiring import DEFAULTS, DRIFT, MACROS, MODEL, PREDICTIONS, SETTINGS, announce, command, gate

with DAG(
    dag_id="model_monitor",
    dag_display_name="Model monitor",
    description="Live scores, drift and freshness; rolls back, or asks for training",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("7 * * * *", timezone=SETTINGS.city.time_zone),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=2),
    default_args=DEFAULTS,
    tags=["traffic", "model", "live"],
    user_defined_macros=MACROS,
) as dag:

    @task.branch
    def decide(seen: dict[str, Any]) -> str | None:
        """What follows from the look."""
        live = seen["live"]
        scored = (
            f"{live['scored']:,} forecasts, macro-F1 {live['macro_f1']:.3f} (persistence "
            f"{live['persistence_macro_f1']:.3f})"
            if live
            else "no forecast of it is due yet"
        )
        follows = "roll_back" if seen["roll_back"] else "ask_for_training" if seen["retrain"] else None
        print(f"version {seen['version']}: {scored}; {follows or 'nothing to do'}")
        for reason in seen["reasons"]:
            print(reason)
        return follows

    @task(outlets=[DRIFT])
    def ask_for_training(seen: dict[str, Any], outlet_events: Any) -> None:
        """Update the asset, with what it is about."""
        outlet_events[DRIFT].extra = {"dataset": seen["dataset"], "reason": seen["retrain"]}
        print(f"training asked for on {seen['dataset']}: {seen['retrain']}")

    look = command(
        "look",
        "model watch",
        figures=True,
        inlets=[MODEL],
        execution_timeout=timedelta(minutes=20),
    )
    SEEN = "ti.xcom_pull('look')"
    roll_back = command(
        "roll_back",
        "model rollback",
        # The version that was judged: a second try, or a person who was faster, must not go back twice.
        {"--if-serving": f"{{{{ {SEEN}['version'] }}}}", "--reason": f"{{{{ {SEEN}['roll_back'] }}}}"},
        figures=True,
        outlets=[MODEL],
    )
    gate("predictions", outlets=[PREDICTIONS], skip_on_exit_code=99) >> look
    decide(look.output) >> [roll_back, ask_for_training(look.output)]
    roll_back >> announce("roll_back", "rolled_back")
