"""Great Expectations' pandas engine with frames of the columns that a rule looks at, instead of all there are.

For each rule it copies the rows that have a value, of all columns and once per figure of the result; a table of forty
columns took most of a gate's time that way.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import pandas as pd
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.datasource.fluent import PandasDatasource
from great_expectations.execution_engine import PandasExecutionEngine

#: Where the columns of a rule's frame stand among the arguments of its domain.
COLUMNS = "lake_columns"


class ColumnsEngine(PandasExecutionEngine):
    """Computes each figure on the columns that its rule names."""

    def get_compute_domain(
        self,
        domain_kwargs: dict[str, Any],
        domain_type: str | MetricDomainTypes,
        accessor_keys: Iterable[str] | None = None,
    ) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
        """The rows with the rule's columns, and how to ask for them again."""
        rows, compute, accessor = super().get_compute_domain(domain_kwargs, domain_type, accessor_keys)
        named = [accessor[key] for key in ("column", "column_A", "column_B") if key in accessor]
        columns = [column for column in [*named, *accessor.get("column_list", ())] if column in rows]
        if not columns:
            return rows, compute, accessor
        return rows[columns], {**compute, COLUMNS: columns}, accessor

    def get_domain_records(self, domain_kwargs: dict[str, Any]) -> pd.DataFrame:
        """The rows of a domain, with the columns of its rule where they are known."""
        rows = super().get_domain_records(domain_kwargs)
        return rows[domain_kwargs[COLUMNS]] if COLUMNS in domain_kwargs else rows


class LakeDatasource(PandasDatasource):
    """Frames from the lake, looked at by ``ColumnsEngine``."""

    type: Literal["lake"] = "lake"  # type: ignore[assignment]
    execution_engine_override: ClassVar = ColumnsEngine
