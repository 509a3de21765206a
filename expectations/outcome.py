"""What a gate found, in words and figures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from great_expectations.core import ExpectationSuiteValidationResult

from expectations.rule import Severity

#: Values shown of those that broke a rule.
EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One broken rule on one batch."""

    rule: str
    severity: Severity
    accepted: bool
    batch: str
    expectation: str
    column: str
    wanted: str
    observed: str
    examples: tuple[str, ...]
    why: str

    def line(self) -> str:
        """For the log: what, where, how much, examples, and why it matters."""
        shown = f", e.g. {', '.join(self.examples)}" if self.examples else ""
        accepted = " (accepted for this run)" if self.accepted else ""
        return (
            f"{self.severity}{accepted} {self.rule} [{self.batch}]: {self.expectation} on {self.column} "
            f"({self.wanted}): {self.observed}{shown}. Why: {self.why}"
        )


@dataclass
class Outcome:
    """All batches of one gate together."""

    suite: str
    dataset: str
    first_day: str
    last_day: str
    rows: int = 0
    checks: int = 0
    findings: list[Finding] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    #: Name of the run's line in Data Docs, by which others link to it.
    mark: str = ""

    @property
    def status(self) -> str:
        """``passed``, ``warned`` or ``failed``."""
        if any(finding.severity is Severity.FAIL for finding in self.findings):
            return "failed"
        return "warned" if self.findings else "passed"

    def names(self, severity: Severity) -> list[str]:
        """Broken rules of a severity, each once, in the order found."""
        return list(dict.fromkeys(f.rule for f in self.findings if f.severity == severity))

    def figures(self) -> dict[str, Any]:
        """The one JSON object a gate ends with."""
        return {
            "gate": self.suite,
            "dataset": self.dataset,
            "from": self.first_day,
            "to": self.last_day,
            "status": self.status,
            "rows": self.rows,
            "checks": self.checks,
            "failed": self.names(Severity.FAIL),
            "warned": self.names(Severity.WARN),
        }


def findings(batch: str, result: ExpectationSuiteValidationResult) -> Iterable[Finding]:
    """The broken rules of one validation."""
    for item in result.results:
        if item.success:
            continue
        config = item.expectation_config
        if config is None:
            continue
        meta = config.meta or {}
        kwargs = {key: value for key, value in config.kwargs.items() if value is not None and key != "batch_id"}
        column = kwargs.pop("column", None) or kwargs.pop("column_list", None)
        if column is None:
            column = " and ".join(str(kwargs.pop(key)) for key in ("column_A", "column_B") if key in kwargs) or "table"
        yield Finding(
            rule=meta["name"],
            severity=Severity(meta["severity"]),
            accepted=meta["accepted"],
            batch=batch,
            expectation=config.type,
            column=", ".join(column) if isinstance(column, list) else str(column),
            wanted=", ".join(f"{key} {_text(value)}" for key, value in kwargs.items()) or "for every row",
            observed=_observed(item.result, item.exception_info),
            examples=tuple(_text(v) for v in (item.result.get("partial_unexpected_list") or [])[:EXAMPLES]),
            why=meta["why"],
        )


def _observed(result: Mapping[str, Any], exceptions: Mapping[str, Any] | None) -> str:
    if "unexpected_count" in result:
        count, share = result["unexpected_count"], result.get("unexpected_percent") or 0.0
        return f"{count} of {result['element_count']} rows ({share:.3g} %)"
    if "observed_value" in result:
        return f"observed {_text(result['observed_value'])}"
    for part in [exceptions or {}, *(v for v in (exceptions or {}).values() if isinstance(v, Mapping))]:
        if message := part.get("exception_message"):
            return f"could not be checked: {message}"
    return "could not be checked"


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
