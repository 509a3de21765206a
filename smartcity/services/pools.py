"""The pool in which Airflow runs the heavy tasks of all DAGs: a Spark job, and what may not run beside one."""

SPARK_POOL = "spark"
#: When it is made: two cores carry one Spark job at a time. What a person sets under *Admin*, *Pools* stays. For a lake
#: on an object store it has to be one: there no lock keeps two jobs from publishing the same day.
SPARK_SLOTS = 1
