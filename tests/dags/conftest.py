"""The DAGs as the real Airflow loads them, with a home of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcity.settings import ROOT


@pytest.fixture(scope="session")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """DAG by name. Airflow reads its configuration when it is imported, so it is imported here."""
    home: Path = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", os.environ.get("AIRFLOW_HOME", str(home)))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(ROOT / "dags"))
        patch.syspath_prepend(str(ROOT / "dags"))
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(dag_folder=str(ROOT / "dags"))
        assert bag.import_errors == {}
        yield dict(bag.dags)
