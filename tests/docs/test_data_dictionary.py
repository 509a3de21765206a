"""The data dictionary describes every column of every table, with its type, in the table's order."""

import re

import pyarrow as pa
import pytest

from smartcity import columns
from smartcity.features import FEATURES
from smartcity.settings import ROOT

PAGE = (ROOT / "docs" / "data-dictionary.md").read_text()
TABLES = {name.lower(): value for name, value in vars(columns).items() if isinstance(value, pa.Schema)} | {
    "features": FEATURES
}


def described(table: str) -> list[tuple[str, str]]:
    section = PAGE.partition(f"\n## {table}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| (.+?) \| \S.* \|$", section, re.MULTILINE)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_column_is_described_with_its_type(table: str) -> None:
    assert described(table) == [(field.name, str(field.type)) for field in TABLES[table]]


def test_no_table_is_described_that_does_not_exist() -> None:
    assert set(re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)) == set(TABLES)
