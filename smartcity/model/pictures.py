"""The pictures of an evaluation, as Matplotlib figures for the registry's artifacts."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from smartcity.levels import CLASSES
from smartcity.model.inputs import INPUT_NAMES
from smartcity.model.metrics import confusion, reliability

NAMES = [level.value for level in CLASSES]


def confusion_matrix(label: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]) -> Figure:
    """Rows of each true level by forecast level, as shares and counts."""
    counts = confusion(label, probabilities.argmax(axis=1))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
    axes.set(
        xticks=range(3), yticks=range(3), xticklabels=NAMES, yticklabels=NAMES, xlabel="forecast", ylabel="came true"
    )
    for i in range(3):
        for j in range(3):
            dark = "white" if share[i, j] > 0.5 else "black"
            axes.text(j, i, f"{share[i, j]:.0%}\n{counts[i, j]:,}", ha="center", va="center", color=dark)
    axes.set_title("15 minutes ahead, held-out days")
    return figure


def reliability_diagram(label: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]) -> Figure:
    """How often a stated probability comes true."""
    points = reliability(label, probabilities)
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0.3, 1], [0.3, 1], color="grey", linestyle=":", label="perfect")
    axes.plot([p[0] for p in points], [p[1] for p in points], marker="o", label="model")
    axes.set(xlabel="stated probability of the named level", ylabel="share that came true", title="Calibration")
    axes.legend()
    return figure


def feature_importance(importance: npt.NDArray[np.float64], most: int = 20) -> Figure:
    """The features that the forest splits on most."""
    order = np.argsort(importance)[-most:]
    figure = Figure(figsize=(6, 5.5), layout="constrained")
    axes = figure.subplots()
    axes.barh([INPUT_NAMES[i] for i in order], importance[order])
    axes.set_title("Share of impurity reduction")
    return figure


def scores_by_hour(hours: npt.NDArray[np.int64], right: dict[str, npt.NDArray[np.bool_]]) -> Figure:
    """Accuracy by local hour of the target, model and baselines."""
    figure = Figure(figsize=(6.5, 3.8), layout="constrained")
    axes = figure.subplots()
    occurring = np.unique(hours)
    for name, hit in right.items():
        axes.plot(occurring, [hit[hours == hour].mean() for hour in occurring], marker=".", label=name)
    axes.set(xlabel="local hour of the forecast's target", ylabel="accuracy", title="When it is right")
    axes.legend(fontsize="small")
    return figure


def errors_by_place(
    longitude: npt.NDArray[np.float64],
    latitude: npt.NDArray[np.float64],
    errors: npt.NDArray[np.float64],
    rows: npt.NDArray[np.int64],
) -> Figure:
    """Share of forecasts of each place that were wrong, where it lies; larger dots have more rows."""
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    size = 8 + 60 * rows / max(rows.max(initial=1), 1)
    dots = axes.scatter(
        longitude, latitude, c=errors, s=size, cmap="magma_r", vmin=0, vmax=max(0.1, errors.max(initial=0))
    )
    figure.colorbar(dots, ax=axes, label="share of forecasts that were wrong", shrink=0.7)
    if len(latitude):
        # A degree of longitude is shorter than one of latitude.
        axes.set_aspect(1 / np.cos(np.radians(latitude.mean())))
    axes.set(xlabel="longitude", ylabel="latitude", title="Where it is wrong")
    return figure
