"""What a gate consists of: its rules, and the frames they look at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation

from expectations.rule import ROWS, SCHEMA, Batch, Frame, Rule
from smartcity.city import City
from smartcity.lake import Dataset
from smartcity.settings import Settings


@dataclass(frozen=True)
class Request:
    """What a gate is asked: the days ``start`` … ``end`` (None: all there are) of a data set, or files for it."""

    settings: Settings
    dataset: Dataset
    start: date | None = None
    end: date | None = None
    files: tuple[str, ...] = ()
    zones: str | None = None


class Part(NamedTuple):
    """A frame to be looked at. ``rows``: that it stands for; ``label``: its name among others of its batch."""

    batch: Batch
    frame: Frame
    rows: int = 0
    label: str = ""


class Opened(NamedTuple):
    """The days that are judged, and the frames, the schema first: where it is broken, the others are not asked for."""

    first_day: date
    last_day: date
    parts: Iterator[Part]


@dataclass(frozen=True)
class Suite:
    """One gate. ``open`` raises MissingDataError where there is nothing to look at."""

    name: str
    rules: Callable[[City], tuple[Rule, ...]]
    open: Callable[[Request], Opened]


def schema_rules() -> tuple[Rule, ...]:
    """The stored columns are those of the contract; every suite of a table starts with these."""
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


def unique(*names: str) -> Expectation:
    """No two rows have the same values in these columns; a null is a value, so that no row has to be left out first."""
    return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(names), ignore_row_if="never")
