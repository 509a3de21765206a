"""How good forecasts are: the same figures for the model and every baseline, on the same rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smartcity.levels import CLASSES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Equal-width bins of the top probability in the calibration error.
CALIBRATION_BINS = 10
#: Days' worth of windows are dependent; the bootstrap draws whole blocks of this many minutes.
BOOTSTRAP_BLOCK_MINUTES = 120


@dataclass(frozen=True)
class Scores:
    """Figures of one forecaster. ``ece`` is the expected calibration error of the top class."""

    accuracy: float
    macro_f1: float
    log_loss: float
    brier: float
    ece: float
    precision: dict[str, float]
    recall: dict[str, float]

    def flat(self, prefix: str = "") -> dict[str, float]:
        """Name -> figure, as MLflow and ``--json`` show them."""
        figures = {name: getattr(self, name) for name in ("accuracy", "macro_f1", "log_loss", "brier", "ece")}
        figures |= {f"precision_{name}": value for name, value in self.precision.items()}
        figures |= {f"recall_{name}": value for name, value in self.recall.items()}
        return {f"{prefix}{name}": value for name, value in figures.items()}


def confusion(label: Ints, predicted: Ints) -> Ints:
    """Counts, shape (true class, predicted class)."""
    size = len(CLASSES)
    return np.bincount(label * size + predicted, minlength=size * size).reshape(size, size).astype(np.int64)


def macro_f1(matrix: Ints | Floats) -> float:
    """Mean F1 over the classes that occur, in truth or forecast."""
    hits = np.diag(matrix).astype(np.float64)
    total = matrix.sum(axis=0) + matrix.sum(axis=1)
    occurs = total > 0
    return float((2 * hits[occurs] / total[occurs]).mean())


def scores(label: Ints, probabilities: Floats) -> Scores:
    """Score probabilities of shape (rows, classes) against labels of shape (rows,)."""
    predicted = probabilities.argmax(axis=1)
    matrix = confusion(label, predicted)
    hits = np.diag(matrix).astype(np.float64)
    rows = np.arange(len(label))
    truth = np.zeros_like(probabilities)
    truth[rows, label] = 1.0
    return Scores(
        accuracy=float(hits.sum() / len(label)),
        macro_f1=macro_f1(matrix),
        log_loss=log_loss(label, probabilities),
        brier=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        ece=calibration_error(label, probabilities),
        precision={c.value: _share(hits[i], matrix[:, i].sum()) for i, c in enumerate(CLASSES)},
        recall={c.value: _share(hits[i], matrix[i].sum()) for i, c in enumerate(CLASSES)},
    )


def log_loss(label: Ints, probabilities: Floats) -> float:
    """Mean of -log of the probability that the class had which came; what was given none counts as 1e-15."""
    return float(-np.log(np.clip(probabilities[np.arange(len(label)), label], 1e-15, 1)).mean())


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def reliability(label: Ints, probabilities: Floats) -> list[tuple[float, float, int]]:
    """(mean confidence, share that came true, rows) for each occupied bin of the top probability."""
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == label
    bins = np.minimum((top * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return [
        (float(top[bins == b].mean()), float(right[bins == b].mean()), int((bins == b).sum())) for b in np.unique(bins)
    ]


def calibration_error(label: Ints, probabilities: Floats) -> float:
    """Expected calibration error: mean gap between confidence and accuracy, weighted by rows."""
    return sum(abs(stated - true) * rows for stated, true, rows in reliability(label, probabilities)) / len(label)


def margin_interval(
    label: Ints, model: Ints, baseline: Ints, block: Ints, draws: int = 500, seed: int = 0
) -> tuple[float, float, float]:
    """Macro-F1 of ``model`` above ``baseline``: (margin, low, high), 95 % by block bootstrap.

    Args: block: the time block of each row; whole blocks are drawn, since rows close in time err together.
    """
    size = len(CLASSES)
    _, at = np.unique(block, return_inverse=True)
    blocks = at.max() + 1

    def by_block(predicted: Ints) -> Floats:
        flat = np.bincount(at * size * size + label * size + predicted, minlength=blocks * size * size)
        return flat.reshape(blocks, size, size).astype(np.float64)

    ours, theirs = by_block(model), by_block(baseline)

    def margin(weights: Floats) -> float:
        return macro_f1(np.tensordot(weights, ours, 1)) - macro_f1(np.tensordot(weights, theirs, 1))

    random = np.random.default_rng(seed)
    drawn = [margin(random.multinomial(blocks, np.full(blocks, 1 / blocks)).astype(np.float64)) for _ in range(draws)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return margin(np.ones(blocks)), float(low), float(high)
