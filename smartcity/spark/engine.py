"""Spark for the jobs of one process: started once, in the background, and no more of it than they use."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from threading import Thread

from pyspark import SparkContext
from pyspark.sql import SparkSession

from smartcity.settings import Settings
from smartcity.spark.session import configuration

#: For a process whose rows pass through Python's kernels: Java only schedules and shuffles. Its quick compiler and
#: simplest collector start a second sooner, on half the processor time, and keep the heap small.
KERNELS_ONLY = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xms64m")
#: What workers import before they are forked; they share its memory.
_WORKERS = {"spark.python.daemon.module": "smartcity.spark.workers"}


class Engine:
    """Tasks run on its ``sparkContext``; ``session``, for SQL, costs seconds more and is made where a job asks.

    Nothing waits for Java until one of them is used, so that a job reads its input's heads meanwhile.
    """

    def __init__(
        self, settings: Settings, name: str, *, java_options: Sequence[str] = (), make_archive: bool = False
    ) -> None:
        def begin() -> SparkContext:
            conf = configuration(settings, name, _WORKERS, java_options=java_options, make_archive=make_archive)
            return SparkContext.getOrCreate(conf)

        self._begin = begin
        self._thread = ThreadPoolExecutor(1, "start of Spark")
        self._starting: Future[SparkContext] | None = None

    def start(self) -> Future[SparkContext]:
        """Start Spark in the background; a job that may find nothing to do leaves that to the first use."""
        if self._starting is None:
            self._starting = self._thread.submit(self._begin)
            self._thread.submit(self._start_workers)
        return self._starting

    @property
    def sparkContext(self) -> SparkContext:
        """What tasks run on."""
        return self.start().result()

    @cached_property
    def session(self) -> SparkSession:
        """What SQL runs on."""
        return SparkSession(self.sparkContext)

    def _start_workers(self) -> None:
        """A task that does nothing: what workers import, they have imported when the first real one comes."""
        self.sparkContext.setJobDescription("start the workers")
        self.sparkContext.parallelize([0], 1).foreach(_nothing)

    def stop(self) -> None:
        """End Spark, also where it is just starting; the process is expected to end soon, too."""
        self._thread.shutdown()
        if self._starting is None or self._starting.exception() is not None:
            return
        # Java's side ends in a tenth of a second; PySpark then waits for a thread of its own that looks once a second
        # whether it is to end. That one may end with the process.
        context = self.sparkContext
        ending = Thread(target=context.stop, name="end of Spark", daemon=True)
        ending.start()
        while context._jsc is not None and ending.is_alive():
            ending.join(0.01)


def _nothing(_: int) -> None:
    pass
