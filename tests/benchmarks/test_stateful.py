"""The processor that the aggregation is measured against keeps the same sums."""

from typing import Any

import pandas as pd

from benchmarks.stateful import Sums


class Value:
    """A value state, and the handle that gives it."""

    def __init__(self) -> None:
        self.kept: tuple[int, ...] | None = None

    def getValueState(self, name: str, schema: str) -> "Value":
        return self

    def get(self) -> tuple[int, ...] | None:
        return self.kept

    def update(self, value: tuple[int, ...]) -> None:
        self.kept = value


def test_sums_go_on_from_batch_to_batch() -> None:
    sums, handle = Sums(), Value()
    sums.init(handle)  # type: ignore[arg-type]

    def batch(*parts: pd.DataFrame) -> dict[str, Any]:
        (found,) = sums.handleInputRows(("882a100d25fffff", 120), iter(parts), None)
        return found.iloc[0].to_dict()

    first = pd.DataFrame({"steps": [1000, 2000], "bit": [1, 4], "at": [7, 9]})
    second = pd.DataFrame({"steps": [500], "bit": [4], "at": [8]})
    figures = {"position_count": 3, "speed_sum": 3500, "speed_square_sum": 5_250_000, "vehicle_bits": 5, "newest": 9}
    assert batch(first, second) == {"cell_id": "882a100d25fffff", "window_start": 120, **figures}
    assert batch(second)["speed_sum"] == 4000
