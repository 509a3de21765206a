"""The embedded MLflow server, for real: artifacts go through it, no job workers eat the memory."""

from contextlib import suppress
from pathlib import Path

import mlflow
import psutil
import pytest

from smartcity.services import ports

pytestmark = pytest.mark.integration


def test_serves_artifacts_it_was_sent(mlflow_server: str, tmp_path: Path) -> None:
    client = mlflow.MlflowClient(mlflow_server)
    run = client.create_run(client.create_experiment("artifacts"))
    sent = tmp_path / "note.txt"
    sent.write_text("23 cells")
    client.log_artifact(run.info.run_id, str(sent))
    mlflow.set_tracking_uri(mlflow_server)
    fetched = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="note.txt", dst_path=str(tmp_path / "back")
    )
    assert Path(fetched).read_text() == "23 cells"


def test_stays_small(mlflow_server: str) -> None:
    server = ports.listener(int(mlflow_server.rsplit(":", 1)[1]))
    assert server is not None
    family = psutil.Process(server.pid).parent()
    assert family is not None
    resident = 0
    for member in [family, *family.children(recursive=True)]:
        # One that has just ended takes no memory.
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            resident += member.memory_info().rss if "mlflow" in " ".join(member.cmdline()) else 0
    assert 0 < resident < 1.2 * 2**30
