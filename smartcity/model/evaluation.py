"""A model beside its baselines on the same held-out rows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.errors import MissingDataError
from smartcity.features import FEATURE_NAMES
from smartcity.levels import CLASSES
from smartcity.model import baselines
from smartcity.model.gate import Evaluation as GateFigures
from smartcity.model.metrics import BOOTSTRAP_BLOCK_MINUTES, Scores, margin_interval, scores
from smartcity.model.serving import ServingModel
from smartcity.model.truthscore import CEILINGS, TruthScores, truth_scores

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Fewer labelled rows than these make no model and no judgement.
MIN_TRAINING_ROWS = 1000
MIN_TEST_ROWS = 200


@dataclass(frozen=True)
class Rows:
    """Labelled rows of the features table as arrays; ``times`` are window starts in seconds since the epoch."""

    cells: pa.ChunkedArray
    times: Ints
    features: Floats
    label: Ints
    label_ratio: Floats

    @classmethod
    def of(cls, table: pa.Table) -> "Rows":
        """Take the columns of ``features.FEATURES`` out of an Arrow table."""
        return cls(
            cells=table["cell_id"],
            times=pc.cast(table["window_start_utc"], pa.int64()).to_numpy() // 1_000_000,
            features=np.column_stack([table[name].to_numpy() for name in FEATURE_NAMES]),
            label=table["label"].to_numpy().astype(np.int64),
            label_ratio=table["label_ratio"].to_numpy(),
        )

    def at(self, chosen: npt.NDArray[np.int64]) -> "Rows":
        """The rows of these numbers."""
        return Rows(
            cells=self.cells.take(pa.array(chosen)),
            times=self.times[chosen],
            features=self.features[chosen],
            label=self.label[chosen],
            label_ratio=self.label_ratio[chosen],
        )


#: Names of speed errors and their values in mph.
SpeedErrors = dict[str, float]


@dataclass(frozen=True)
class Report:
    """Everything measured: scores by forecaster, speed errors, and the margin over persistence with its interval.

    ``speed_by_step``: minutes ahead -> forecaster -> errors. A training measures the horizon, an evaluation every step.
    """

    by_name: dict[str, Scores]
    speed_by_step: dict[int, dict[str, SpeedErrors]]
    margin: tuple[float, float, float]
    truth_by_name: dict[str, TruthScores]
    probabilities: Floats
    predicted: dict[str, Ints]
    training_rows: int
    test_rows: int
    #: Levels that no training row has: the model gives them no chance.
    absent_levels: tuple[str, ...] = ()
    extra: dict[str, float] = field(default_factory=dict)
    #: How the speeds of the steps before the horizon were foretold, where they were.
    speed_methods: list[str] = field(default_factory=list)

    def gate_figures(self) -> GateFigures:
        """What the promotion gate reads."""
        model = self.by_name["model"]
        return GateFigures(model.macro_f1, model.ece, self.margin[1])

    def table(self) -> dict[str, dict[str, float]]:
        """Forecaster -> figures. Speed errors are the mean over the steps that were measured."""
        return {
            name: {
                **result.flat(),
                **self._mean_speed_errors(name),
                **{f"truth_{key}": value for key, value in self.truth_by_name.get(name, {}).items()},
            }
            for name, result in self.by_name.items()
        }

    def _mean_speed_errors(self, name: str) -> SpeedErrors:
        steps = [errors[name] for errors in self.speed_by_step.values()]
        return {key: float(np.mean([errors[key] for errors in steps])) for key in ("rmse_mph", "mae_mph")}

    def speed_gain(self) -> float:
        """Share by which the model's RMSE is under persistence's, both the mean over the steps."""
        ours, theirs = (self._mean_speed_errors(name)["rmse_mph"] for name in ("model", "persistence"))
        return 1 - ours / theirs if theirs else 0.0

    def metrics(self) -> dict[str, float]:
        """Flat names for MLflow: the model's bare, each baseline's with its name before."""
        flat: dict[str, float] = {}
        for name, figures in self.table().items():
            flat |= {key if name == "model" else f"{name}_{key}": value for key, value in figures.items()}
        margin, low, high = self.margin
        return flat | {
            "margin_over_persistence": margin,
            "margin_over_persistence_low": low,
            "margin_over_persistence_high": high,
            "rmse_below_persistence": self.speed_gain(),
            "training_rows": self.training_rows,
            "test_rows": self.test_rows,
            **self.extra,
        }

    def as_json(self) -> dict[str, Any]:
        """One object for scripts, for ``evaluate --json``."""
        margin, low, high = self.margin
        return {
            "models": {
                name: {
                    **figures,
                    **{
                        f"{key}_by_minutes_ahead": {
                            str(minutes): errors[name][key] for minutes, errors in sorted(self.speed_by_step.items())
                        }
                        for key in ("rmse_mph", "mae_mph")
                    },
                }
                for name, figures in self.table().items()
            },
            "margin_over_persistence_macro_f1": {"value": margin, "low": low, "high": high},
            "rmse_below_persistence": self.speed_gain(),
            "training_rows": self.training_rows,
            "test_rows": self.test_rows,
            "absent_levels": list(self.absent_levels),
            "speed_method": " ".join(self.speed_methods),
            "truth_ceilings": {name: figures for name, figures in self.truth_by_name.items() if name in CEILINGS},
        }


def check_enough(training_rows: int, test_rows: int, where: str) -> None:
    """Refuse to train or judge on next to nothing. Raises: MissingDataError with the counts."""
    if training_rows < MIN_TRAINING_ROWS or test_rows < MIN_TEST_ROWS:
        raise MissingDataError(
            f"{where} has {training_rows} labelled rows to train on and {test_rows} to test on; at least "
            f"{MIN_TRAINING_ROWS} and {MIN_TEST_ROWS} are needed. Ingest more days, or denser ones: a row has a label "
            "only where three vehicles or more were seen"
        )


def evaluate(model: ServingModel, train: Rows, test: Rows, truth: pa.Table | None = None) -> Report:
    """Score the model and every baseline on the test rows; with ``truth`` (``columns.TRUTH``), against that too."""
    probabilities = {
        "model": model.probabilities(test.features),
        **baselines.probabilities(train.features, train.label, test.features),
    }
    predicted = {name: share.argmax(axis=1) for name, share in probabilities.items()}
    blocks = test.times // (BOOTSTRAP_BLOCK_MINUTES * 60)
    column = {name: index for index, name in enumerate(FEATURE_NAMES)}
    free_flow = test.features[:, column["cell_free_flow_mph"]]
    expected = {
        "model": test.features[:, column["ratio_now"]] + model.ratio_change(test.features),
        **baselines.ratios(test.features, float(train.label_ratio.mean())),
    }
    city = model.profile.city
    at_horizon = {name: speed_errors((ratio - test.label_ratio) * free_flow) for name, ratio in expected.items()}
    return Report(
        by_name={name: scores(test.label, share) for name, share in probabilities.items()},
        speed_by_step={city.horizon_steps * city.window_minutes: at_horizon},
        margin=margin_interval(test.label, predicted["model"], predicted["persistence"], blocks),
        truth_by_name={} if truth is None else truth_scores(city, test.cells, test.times, predicted, test.label, truth),
        probabilities=probabilities["model"],
        predicted=predicted,
        training_rows=len(train.label),
        test_rows=len(test.label),
        absent_levels=tuple(level.value for index, level in enumerate(CLASSES) if not (train.label == index).any()),
    )


def speed_errors(error_mph: Floats) -> SpeedErrors:
    """Root mean square and mean absolute error of expected speeds."""
    return {"rmse_mph": float(np.sqrt((error_mph**2).mean())), "mae_mph": float(np.abs(error_mph).mean())}
