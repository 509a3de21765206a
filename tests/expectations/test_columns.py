"""Looking at a rule's own columns finds what looking at all of them finds."""

from pathlib import Path
from typing import Any

import great_expectations as gx
import numpy as np
import pandas as pd
from great_expectations import expectations as gxe
from great_expectations.datasource.fluent import PandasDatasource

from expectations.columns import LakeDatasource
from expectations.context import open_context
from expectations.suite import unique

SPEEDS = pd.DataFrame(
    {
        "cell_id": ["a", "b", "b", None, None],
        "window": [1, 2, 2, 4, 4],
        "speed_mph": [10.0, np.nan, 300.0, -1.0, 20.0],
        "ratio": [1.0, 0.5, np.nan, 0.1, 0.2],
    }
)
RULES = (
    gxe.ExpectColumnValuesToBeBetween(column="speed_mph", min_value=0, max_value=100),
    gxe.ExpectColumnValuesToNotBeNull(column="speed_mph"),
    gxe.ExpectColumnValuesToBeInSet(column="cell_id", value_set=["a"]),
    gxe.ExpectColumnValuesToBeUnique(column="window"),
    gxe.ExpectColumnMeanToBeBetween(column="ratio", min_value=0, max_value=0.1),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="speed_mph", column_B="ratio"),
    gxe.ExpectTableRowCountToBeBetween(min_value=6),
    gxe.ExpectColumnValuesToNotBeNull(column="no_such_column"),
    unique("cell_id", "window"),
)


def _results(tmp_path: Path, source: PandasDatasource) -> list[dict[str, Any]]:
    context = open_context(tmp_path)
    context.add_datasource(datasource=source)
    data = source.add_dataframe_asset("speeds").add_batch_definition_whole_dataframe("whole")
    suite = context.suites.add(gx.ExpectationSuite(name="rules", expectations=[rule.copy(deep=True) for rule in RULES]))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name="run", data=data, suite=suite))
    result = definition.run(batch_parameters={"dataframe": SPEEDS}, result_format={"result_format": "SUMMARY"})
    return [
        {"rule": getattr(each.expectation_config, "type", ""), "success": each.success, **each.result}
        for each in result.results
    ]


def test_the_results_are_those_of_the_engine_that_looks_at_all_columns(tmp_path: Path) -> None:
    ours = _results(tmp_path / "ours", LakeDatasource(name="source"))
    theirs = _results(tmp_path / "theirs", PandasDatasource(name="source"))
    assert len(ours) == len(RULES)
    assert str(ours) == str(theirs), "as text: NaN is not equal to itself"
    assert not any(result["success"] for result in ours), "each rule has something to find, so that none is idle"
    (pairs,) = (result for result in ours if "compound" in result["rule"])
    assert pairs["unexpected_count"] == 4, "two nulls of one window are one place twice"
