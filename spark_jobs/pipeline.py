"""Files to features in one Spark session: ``python -m spark_jobs.pipeline KIND --dataset NAME FILE…``.

The same jobs that Airflow runs one by one; here they share one start of Spark. Each stage prints its figures as a JSON
line when it is done.
"""

import sys

from smartcity.errors import TrafficError
from smartcity.settings import Settings
from smartcity.spark.engine import KERNELS_ONLY, Engine

#: Kinds of input, and how Java runs for each: not every one is read by kernels alone, some by Spark's SQL.
KINDS = {"trips": KERNELS_ONLY, "probes": (), "stream": (), "sensors": KERNELS_ONLY, "generated": ()}


def main(argv: list[str] | None = None) -> None:
    """Run from the command line."""
    argv = sys.argv[1:] if argv is None else argv
    kind = argv[0] if argv else "--help"
    if kind not in KINDS:
        print(f"usage: python -m spark_jobs.pipeline {{{','.join(KINDS)}}} --dataset NAME FILE…\n\n{__doc__}")
        sys.exit(0 if kind in ("-h", "--help") else 2)
    settings = Settings()
    engine = Engine(settings, f"traffic ingest {kind}", java_options=KINDS[kind], make_archive=True)
    engine.start()
    try:
        # Java starts meanwhile: together they take little longer than one of them.
        from smartcity.lake import Dataset
        from spark_jobs.stages import SOURCES, run

        source = SOURCES[kind]()
        options = source.options(argv[1:])
        run(engine, Dataset.of(settings, options.dataset), source, options)
    except TrafficError as error:
        sys.exit(f"{kind}: {error}")
    finally:
        engine.stop()


if __name__ == "__main__":
    main()
