"""Trials of a search for hyper-parameters on the record: each a run below its training's, from its start on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from smartcity.model import registry
from smartcity.model.metrics import Scores
from smartcity.settings import Settings


@dataclass(frozen=True)
class Trial:
    """Parameters, what they scored on the validation rows, at which temperature, and how long that took."""

    parameters: dict[str, Any]
    scores: Scores
    temperature: float
    seconds: float


#: Opens a trial's record; the trial is handed to what it gives when it is done.
Record = Callable[[dict[str, Any]], AbstractContextManager[Callable[[Trial], None]]]


@contextmanager
def unrecorded(_: dict[str, Any]) -> Iterator[Callable[[Trial], None]]:
    """No record: for an evaluation, which touches no registry."""
    yield lambda _trial: None


class TrialRuns:
    """Runs of MLflow below the run of a training, which shows how far the search is. Trials may run side by side."""

    def __init__(self, settings: Settings, parent: str, budget: int) -> None:
        self._client = registry.client(settings)
        self._parent = parent
        self._experiment = self._client.get_run(parent).info.experiment_id
        self._lock = threading.Lock()
        self._done = 0
        self._best = float("inf")
        self._client.log_param(parent, "trials", budget)

    @contextmanager
    def __call__(self, parameters: dict[str, Any]) -> Iterator[Callable[[Trial], None]]:
        """A run for one trial; it ends as failed where the trial does."""
        name = ", ".join(f"{key} {value}" for key, value in parameters.items())
        tags = {"mlflow.parentRunId": self._parent}
        run_id = self._client.create_run(self._experiment, run_name=f"trial: {name}", tags=tags).info.run_id
        for key, value in parameters.items():
            self._client.log_param(run_id, key, value)
        try:
            yield lambda trial: self._finish(run_id, trial)
        except BaseException:
            self._client.set_terminated(run_id, "FAILED")
            raise
        self._client.set_terminated(run_id)

    def _finish(self, run_id: str, trial: Trial) -> None:
        told = {**trial.scores.flat("validation_"), "temperature": trial.temperature, "seconds": trial.seconds}
        for key, value in told.items():
            self._client.log_metric(run_id, key, value)
        with self._lock:
            self._done += 1
            self._best = min(self._best, trial.scores.log_loss)
            for key, value in {"trials_done": self._done, "best_validation_log_loss": self._best}.items():
                self._client.log_metric(self._parent, key, value, step=self._done)
