"""What a gate consists of: the table it guards, its rules, and the frames they look at."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
from great_expectations import expectations as gxe

from expectations.rule import ROWS, SCHEMA, Frame, Rule
from expectations.span import Span
from smartcity.city import City
from smartcity.lake import Dataset, Table


def unchanged(rows: pa.Table, city: City) -> pa.Table:
    """For suites whose rules need no derived column."""
    return rows


@dataclass(frozen=True)
class Suite:
    """One gate. ``derive`` adds the columns that row rules need; ``days`` makes one row of figures per day."""

    name: str
    maker: str
    table: Callable[[Dataset], Table]
    rules: Callable[[City], tuple[Rule, ...]]
    days: Callable[[Dataset, Span], Frame]
    derive: Callable[[pa.Table, City], pa.Table] = unchanged


def schema_rules() -> tuple[Rule, ...]:
    """The stored columns are those of the contract; every suite starts with these."""
    return (
        SCHEMA.fail(
            "no_column_is_missing",
            gxe.ExpectColumnValuesToNotBeNull(column="found_type"),
            "a missing column reads as nulls, and everything behind it computes on nothing",
        ),
        SCHEMA.fail(
            "columns_keep_their_types",
            gxe.ExpectColumnPairValuesToBeEqual(
                column_A="expected_type", column_B="found_type", ignore_row_if="either_value_is_missing"
            ),
            "a column of another type is cast silently or breaks the next job half way",
        ),
    )


def complete(*names: str) -> tuple[Rule, ...]:
    """One rule per column that must have a value in every row."""
    return tuple(
        ROWS.fail(f"{name}_is_complete", gxe.ExpectColumnValuesToNotBeNull(column=name), "the contract allows no null")
        for name in names
    )
