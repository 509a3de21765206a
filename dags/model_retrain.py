"""Gated features to a registered model version, promoted if it is better.

**Makes** a version of the registered model `congestion`: trains on the training days, scores it beside the baselines on
the last fifth of the days, logs everything to MLflow, and lets the promotion gate decide. A version that does not beat
the champion beyond noise is kept but not promoted; the reason is in its tags.

**When** the asset `features` is updated, that is after each nightly run that passed its gates. Or by hand.

**When it fails** the champion keeps serving.

| log says | what to do |
|---|---|
| no data, or too few days | process more days with `traffic_nightly` first |
| MLflow does not answer | `./traffic status`; start it again; clear the task |
| the export differs from Spark | a fault in the program: report it with the log |
"""

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, task
from wiring import DEFAULTS, FEATURES, MODEL, SETTINGS, spark_job

with DAG(
    dag_id="model_retrain",
    dag_display_name="Model retraining",
    description="Gated features to a registered, perhaps promoted, model version",
    doc_md=__doc__,
    schedule=[FEATURES],
    start_date=pendulum.datetime(2025, 1, 1, tz=SETTINGS.city.time_zone),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=4),
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
        """Arguments of the training job: the newest features' data set, or the one asked for."""
        events = triggering_asset_events.get(FEATURES, [])
        extras = [event.extra for event in events if event.extra.get("dataset")]
        dataset = extras[-1]["dataset"] if extras else params["dataset"]
        print(f"training on {dataset}")
        sizes = {"--max-rows": params["max_rows"], "--trees": params["trees"], "--depth": params["depth"]}
        return ["--dataset", dataset, *(word for name, value in sizes.items() for word in (name, str(value)))]

    spark_job("train", choose_dataset(), inlets=[FEATURES], outlets=[MODEL])
