"""One rule of a gate: a Great Expectations expectation with a name, a severity and the reason it is there."""

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity


class Severity(StrEnum):
    """FAIL stops what depends on the data; WARN goes on and is seen."""

    FAIL = "FAIL"
    WARN = "WARN"


class Batch(StrEnum):
    """What a rule looks at: the columns as stored, one row per day, or the rows themselves."""

    SCHEMA = "schema"
    DAYS = "days"
    ROWS = "rows"


@dataclass(frozen=True)
class Rule:
    """A named expectation. ``why`` says in a line what would go wrong behind it."""

    name: str
    severity: Severity
    batch: Batch
    expectation: Expectation
    why: str

    def configured(self, accepted: bool) -> Expectation:
        """The expectation with its name, severity and reason in its meta data, as Data Docs show them."""
        severity = Severity.WARN if accepted else self.severity
        expectation = self.expectation.copy(deep=True)
        expectation.severity = FailureSeverity.CRITICAL if severity is Severity.FAIL else FailureSeverity.WARNING
        expectation.meta = {"name": self.name, "severity": str(severity), "why": self.why, "accepted": accepted}
        expectation.notes = f"{severity} {self.name}: {self.why}"
        expectation.description = f"{severity} {self.name}: {_wanted(expectation)}. Why: {self.why}"
        return expectation


def _wanted(expectation: Expectation) -> str:
    """The expectation with its limits in words, as its page in Data Docs says it."""
    hidden = {"batch_id", "column", "column_list", "column_A", "column_B"}
    limits = {k: v for k, v in expectation.configuration.kwargs.items() if v is not None and k not in hidden}
    kind = expectation.expectation_type.removeprefix("expect_").replace("_", " ")
    return ", ".join([kind, *(f"{key.replace('_', ' ')} {value}" for key, value in limits.items())])


@dataclass(frozen=True)
class Rules:
    """Makes rules of one batch: ``rows.fail("name", expectation, "why")``."""

    batch: Batch

    def fail(self, name: str, expectation: Expectation, why: str) -> Rule:
        """A rule that stops the run."""
        return Rule(name, Severity.FAIL, self.batch, expectation, why)

    def warn(self, name: str, expectation: Expectation, why: str) -> Rule:
        """A rule that is reported and passed."""
        return Rule(name, Severity.WARN, self.batch, expectation, why)


SCHEMA, DAYS, ROWS = Rules(Batch.SCHEMA), Rules(Batch.DAYS), Rules(Batch.ROWS)

Frame = pd.DataFrame
