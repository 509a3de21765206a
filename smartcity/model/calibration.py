"""How sure a forecast may be: a forest's shares, made such that of what is said with 80 %, 80 % come true.

A forest is a mean over trees, which few of them leave at once for 0 or 1: it says less than it knows, more so on days
that it was not trained on. One number mends that for all classes and leaves the order of the classes as it is:
temperature scaling (Guo et al. 2017, On Calibration of Modern Neural Networks).
"""

import numpy as np
import numpy.typing as npt

from smartcity.model.metrics import log_loss

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: What is tried, in steps of 1 %: two days say it to 3 %. Beyond, the rows are too few or not of this city.
TEMPERATURES = np.geomspace(0.5, 2, 140)
#: Fewer rows than these don't tell; the shares stay as they are.
MIN_ROWS = 1000


def calibrated(shares: Floats, temperature: float) -> Floats:
    """Probabilities from a forest's shares, shape (rows, classes) both: shares to the power of 1 / temperature, scaled.

    Below 1 sharpens, 1 changes nothing; a class without a share gets none.
    """
    raised = shares ** (1 / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fitted_temperature(label: Ints, shares: Floats) -> float:
    """The temperature of least log-loss. Args: shares: of rows (and days) that the forest was not trained on."""
    if len(label) < MIN_ROWS:
        return 1.0
    losses = [log_loss(label, calibrated(shares, temperature)) for temperature in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])
