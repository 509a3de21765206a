"""Gated features to a registered model version, promoted if it is better.

**Makes** a version of the registered model `congestion`: trains on the training days, scores it beside the baselines on
the last fifth of the days, logs everything to MLflow, and lets the promotion gate decide. A version that does not beat
the champion beyond noise is kept but not promoted; the reason is in its tags. A promotion is told on the Kafka topic
`model_events`; stream and API follow the registry's alias `champion` by themselves.

**When** the asset `features` is updated, that is after each nightly run that passed its gates, or the asset `drift`, by
which `model_monitor` says that the serving version no longer fits. Or by hand.

**Who decides** the gate. With `TRAFFIC_PROMOTION_APPROVAL=true` a person has the last word: `approve` waits up to three
days under *Required actions*, with the figures; unanswered is a no.

**Leaves out** days whose features failed their gate, until they pass, are accepted, or are made anew.

**When it fails** the champion keeps serving.

| log says | what to do |
|---|---|
| no data, or too few days | process more days with `traffic_nightly` first |
| MLflow does not answer | `./traffic status`; start it again; clear the task |
| the export differs from Spark | a fault in the program: report it with the log |
| Kafka did not take the message | the version serves all the same; `./traffic status`, then clear `announce` |
"""

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, task
from wiring import DEFAULTS, DRIFT, FEATURES, MODEL, SETTINGS, announce, command, spark_job

#: How long a person may take to answer.
ANSWER_WITHIN = timedelta(days=3)
WORK_WITHIN = timedelta(hours=4)
ASKS = SETTINGS.promotion_approval

with DAG(
    dag_id="model_retrain",
    dag_display_name="Model retraining",
    description="Gated features to a registered, perhaps promoted, model version",
    doc_md=__doc__,
    schedule=FEATURES | DRIFT,
    start_date=pendulum.datetime(2025, 1, 1, tz=SETTINGS.city.time_zone),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=WORK_WITHIN + ANSWER_WITHIN if ASKS else WORK_WITHIN,
    default_args=DEFAULTS,
    tags=["traffic", "model"],
    params={
        "dataset": Param(
            SETTINGS.dataset,
            type="string",
            pattern="^[A-Za-z0-9_-]+$",
            title="Data set",
            description="When triggered by features, theirs is taken.",
        ),
        "max_rows": Param(
            SETTINGS.training_rows,
            type="integer",
            minimum=100,
            title="Rows",
            description="To train on at most, evenly thinned.",
        ),
        "trees": Param(SETTINGS.forest_trees, type="integer", minimum=1, maximum=500, title="Trees"),
        "depth": Param(SETTINGS.forest_depth, type="integer", minimum=1, maximum=20, title="Depth of a tree"),
    },
) as dag:

    @task
    def choose_dataset(params: dict[str, Any], triggering_asset_events: Any) -> list[str]:
        """Arguments of the training job: the data set of the newest features or drift, or the one asked for."""
        events = [event for asset in (DRIFT, FEATURES) for event in triggering_asset_events.get(asset, [])]
        extras = [event.extra for event in events if event.extra.get("dataset")]
        dataset = extras[-1]["dataset"] if extras else params["dataset"]
        print(f"training on {dataset}{': ' + extras[-1]['reason'] if extras and 'reason' in extras[-1] else ''}")
        sizes = {"--max-rows": params["max_rows"], "--trees": params["trees"], "--depth": params["depth"]}
        words = ["--dataset", dataset, *(word for name, value in sizes.items() for word in (name, str(value)))]
        return [*words, "--hold"] if ASKS else words

    @task.short_circuit
    def say_verdict(figures: dict[str, Any]) -> bool:
        """What the gate said; where it refused, nothing is to be promoted or told."""
        passed = bool(figures["promoted"] or figures["waits"])
        print(
            f"version {figures['version']} {'passed' if passed else 'did not pass'}: {figures['reason']}. Macro-F1 "
            f"{figures['macro_f1']:.4f} (persistence {figures['persistence_macro_f1']:.4f}); run: {figures['run']}"
        )
        return passed

    train = spark_job("train", choose_dataset(), inlets=[FEATURES], outlets=[MODEL])
    verdict = say_verdict(train.output)
    if ASKS:
        FIGURES = "ti.xcom_pull('train')"
        approve = ApprovalOperator(
            task_id="approve",
            subject=f"Shall version {{{{ {FIGURES}['version'] }}}} of the model serve?",
            body=f"""The gate would promote it: {{{{ {FIGURES}['reason'] }}}}

| on the hold-out days | this version | persistence |
|---|---|---|
| accuracy | {{{{ '%.4f' | format({FIGURES}['accuracy']) }}}} | \
{{{{ '%.4f' | format({FIGURES}['persistence_accuracy']) }}}} |
| macro-F1 | {{{{ '%.4f' | format({FIGURES}['macro_f1']) }}}} | \
{{{{ '%.4f' | format({FIGURES}['persistence_macro_f1']) }}}} |

Version that serves now: {{{{ {FIGURES}['before'] or 'none' }}}}. All of it: {{{{ {FIGURES}['run'] }}}}""",
            defaults=[ApprovalOperator.REJECT],
            response_timeout=ANSWER_WITHIN,
        )
        promote = command(
            "promote",
            "model promote",
            {"--reason": "approved by a person in Airflow"},
            arguments=[f"{{{{ {FIGURES}['version'] }}}}"],
            figures=True,
        )
        verdict >> approve >> promote >> announce("promote", "promoted")
    else:
        verdict >> announce("train", "promoted")
