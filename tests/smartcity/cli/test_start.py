"""Steps of ``./traffic up``."""

from pathlib import Path

from smartcity.cli.start import migration_mark
from smartcity.settings import Settings


def test_another_database_of_airflows_is_migrated_anew(tmp_path: Path) -> None:
    sqlite = Settings(_env_file=None, home=tmp_path)
    one, two = (
        sqlite.model_copy(update={"airflow_database_url": f"postgresql+psycopg://me:secret@{host}/airflow"})
        for host in ("one", "two")
    )
    marks = {migration_mark(settings) for settings in (sqlite, one, two)}
    assert len(marks) == 3 and migration_mark(one) in marks
    assert "secret" not in str(migration_mark(one))
