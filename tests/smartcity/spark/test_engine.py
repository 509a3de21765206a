"""Spark for a process of jobs: what workers get, and that SQL and tasks share one start."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from smartcity.settings import Settings
from smartcity.spark.engine import KERNELS_ONLY, Engine

engine = Engine(Settings(spark_master="local[1]"), "engine", java_options=KERNELS_ONLY)
found = engine.sparkContext.parallelize([0], 1).map(lambda _: "duckdb" in sys.modules).collect()
assert found == [True], found
assert engine.session.sparkContext is engine.sparkContext
assert engine.session.conf.get("spark.sql.session.timeZone") == "UTC"
assert engine.session.range(3).count() == 3
engine.stop()
print("all held")
"""


def test_workers_have_imported_what_kernels_need_and_sql_shares_the_context():
    # A process of its own: the tests' session has been started without an engine.
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300)
    assert "all held" in ran.stdout, ran.stderr[-2000:]


@pytest.mark.parametrize("begun", ["", "engine.start()"])
def test_an_engine_that_nobody_used_can_be_stopped(begun):
    text = "from smartcity.settings import Settings; from smartcity.spark.engine import Engine\n"
    text += f"engine = Engine(Settings(spark_master='local[1]'), 'engine'); {begun}\nengine.stop(); print('stopped')"
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=300)
    assert "stopped" in ran.stdout and "Traceback" not in ran.stderr, ran.stderr[-2000:]
