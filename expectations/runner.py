"""Runs a suite: the frames that it opens, each against its rules."""

import logging
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import great_expectations as gx

from expectations.columns import LakeDatasource
from expectations.context import open_context
from expectations.docs import publish
from expectations.outcome import Outcome, findings
from expectations.rule import Batch, Frame, Rule, Severity
from expectations.suite import Request, Suite
from smartcity.errors import GateFailedError, SettingsError
from smartcity.held import note_verdict
from smartcity.lake import Dataset
from smartcity.settings import Settings

#: Values that broke a rule, kept with the result and shown in Data Docs.
RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 20}


class Gate:
    """One run of one suite; validates frames and collects what they broke."""

    def __init__(self, settings: Settings, suite: Suite, outcome: Outcome, accept: frozenset[str]) -> None:
        self.context = open_context(settings.home)
        self.home = settings.home
        self.suite = suite
        self.outcome = outcome
        self.accept = accept
        self.run_id = gx.RunIdentifier(
            run_name=f"{outcome.dataset} {outcome.first_day} to {outcome.last_day}".replace(" ", "_")
        )
        self.source = LakeDatasource(name="lake")
        self.context.add_datasource(datasource=self.source)
        self.suites: dict[Batch, gx.ExpectationSuite] = {}

    def check(self, batch: Batch, frame: Frame, rules: Iterable[Rule], label: str = "") -> None:
        """Validate one frame; the result is stored under the run's name, and what it broke in the outcome."""
        name = f"{self.suite.name}_{batch}"
        chosen = [rule for rule in rules if rule.batch is batch]
        if not chosen:
            return
        asset = self.source.add_dataframe_asset(name + label)
        if (suite := self.suites.get(batch)) is None:
            expectations = [rule.configured(rule.name in self.accept) for rule in chosen]
            suite = self.context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
            self.suites[batch] = suite
        definition = self.context.validation_definitions.add(
            gx.ValidationDefinition(
                name=name + label, data=asset.add_batch_definition_whole_dataframe("whole"), suite=suite
            )
        )
        result = definition.run(
            batch_parameters={"dataframe": frame},
            result_format=RESULT_FORMAT,
            run_id=self.run_id,
        )
        self.outcome.checks += len(chosen)
        self.outcome.findings.extend(findings(name + label, result))


def run(
    suite: Suite,
    dataset: Dataset,
    settings: Settings,
    start: date | None = None,
    end: date | None = None,
    accept: Iterable[str] = (),
    *,
    files: Sequence[str | Path] = (),
    zones: str | None = None,
    mark: str = "",
) -> Outcome:
    """Check the days ``start`` … ``end`` (None: all there are), or ``files``, and publish the Data Docs.

    Rules named in ``accept`` are reported but do not stop the run. Where the schema is broken, rows are not looked at.
    Days whose features fail are held back from training.
    Raises: MissingDataError where there is nothing to look at; SettingsError for a rule that does not exist.
    """
    rules = suite.rules(dataset.city)
    if unknown := sorted(set(accept) - {rule.name for rule in rules}):
        raise SettingsError(
            f"--accept {unknown}: {suite.name} has no such rule; it has {sorted(r.name for r in rules)}"
        )
    opened = suite.open(Request(settings, dataset, start, end, tuple(map(str, files)), zones))
    outcome = Outcome(suite.name, dataset.name, opened.first_day.isoformat(), opened.last_day.isoformat(), mark=mark)
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    gate = Gate(settings, suite, outcome, frozenset(accept))
    for part in opened.parts:
        gate.check(part.batch, part.frame, rules, part.label)
        outcome.rows += part.rows
        if part.batch is Batch.SCHEMA and outcome.status == "failed":
            break
    outcome.pages = publish(gate.context, settings.home, outcome, gate.run_id)
    if suite.name == dataset.features.name:
        judged = [day for day in dataset.features.dates() if opened.first_day <= day <= opened.last_day]
        note_verdict(dataset, judged, passed=outcome.status != "failed")
    return outcome


def require(outcome: Outcome) -> None:
    """Raises: GateFailedError naming the FAIL rules that are broken."""
    if outcome.status == "failed":
        names = outcome.names(Severity.FAIL)
        page = outcome.pages[0] if outcome.pages else "the log"
        raise GateFailedError(
            f"{outcome.suite} of {outcome.dataset} {outcome.first_day} to {outcome.last_day}: "
            f"{', '.join(names)} failed. The last good data stay published. See {page}; "
            f"if the data are right, run again with --accept {names[0]}"
        )
