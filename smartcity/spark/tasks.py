"""Kernels as Spark tasks: one task per item, small reports back, bulk data only through files.

These run on plain RDDs: they need nothing of Spark SQL, whose first query costs seconds.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from py4j.protocol import Py4JJavaError
from pyspark import SparkContext
from pyspark.errors import PySparkException

from smartcity.errors import InputError, MissingDataError

#: What a task says of its work.
Report = dict[str, Any]
T = TypeVar("T")


class Scheduler(Protocol):
    """What tasks need of Spark: an ``Engine`` or a session."""

    @property
    def sparkContext(self) -> SparkContext:
        """Where they are sent."""
        ...


@contextmanager
def raising_input_errors() -> Iterator[None]:
    """An InputError or MissingDataError raised on a worker comes back as one, without Spark's page of stack traces."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        found = re.search(r"smartcity\.errors\.(InputError|MissingDataError): (.*)", str(error))
        if found is None:
            raise
        raise (InputError if found[1] == "InputError" else MissingDataError)(found[2]) from None


def run_tasks(
    spark: Scheduler, description: str, items: Sequence[T], work: Callable[[T], Iterable[Report]]
) -> list[Report]:
    """Run ``work`` on each item as a task; ``description`` is what Spark's UI shows. Returns: all reports."""
    if not items:
        return []
    spark.sparkContext.setJobDescription(description)
    with raising_input_errors():
        return spark.sparkContext.parallelize(items, len(items)).flatMap(work).collect()
