"""What ``traffic status`` says to a person."""

import pytest

from smartcity.cli.status import _show

#: Of a platform whose services are left out.
RUNNING = {"running": True, "services": {}, "processes": 9, "memory_bytes": 2**30, "last_batch_age_seconds": None}


def test_what_ails_airflow_stands_below_its_services(capsys: pytest.CaptureFixture[str]) -> None:
    _show({**RUNNING, "airflow_detail": "no pool 'spark' with a slot, so that no Spark job starts"})
    assert "Airflow: no pool 'spark' with a slot, so that no Spark job starts" in capsys.readouterr().out
    _show({**RUNNING, "airflow_detail": None})
    assert "Airflow" not in capsys.readouterr().out
