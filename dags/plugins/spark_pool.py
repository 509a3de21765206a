"""Airflow makes the pool of the heavy tasks as it starts: in one that is not there a task waits for ever."""

import sys
from typing import Any, ClassVar

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from smartcity.services.pools import SPARK_POOL, SPARK_SLOTS


@hookimpl
def on_starting(component: Any) -> None:
    """Make the pool where it is missing; one that is there keeps its size."""
    # Scheduler, triggerer and DAG processor are a `Job` each. A task says that it starts too, and has no database.
    if type(component).__name__ != "Job":
        return
    from airflow.models.pool import Pool
    from sqlalchemy.exc import IntegrityError

    if Pool.get_pool(SPARK_POOL) is not None:
        return
    try:
        Pool.create_or_update_pool(
            SPARK_POOL, SPARK_SLOTS, "Spark jobs, and what may not run beside one", include_deferred=False
        )
    except IntegrityError:
        # Another of the three was faster.
        return


class SparkPoolPlugin(AirflowPlugin):
    """Tells Airflow of the listener above."""

    name = "spark_pool"
    listeners: ClassVar = [sys.modules[__name__]]
