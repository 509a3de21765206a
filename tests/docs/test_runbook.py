"""Whatever can go red has its place in the runbook, and what stands there is what goes red."""

import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from expectations.suites import SUITES, load
from smartcity.city import City, PlaceKind
from smartcity.settings import ROOT
from smartcity.store.age import DataAge
from smartcity.watch import Limits, Observed, complaints
from tests.dags.conftest import dags

__all__ = ["dags"]

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
HEADINGS = set(re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE))


def section(heading: str) -> str:
    return RUNBOOK.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """Of the rows of its tables, without their heads."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [row.split("|")[1] for row in rows if not row.startswith(("|---", "| rule", "| sign"))]


def rules() -> set[str]:
    return {rule.name for suite in SUITES for rule in load(suite).rules(City(place_kind=PlaceKind.H3))}


def patterns() -> Iterator[re.Pattern[str]]:
    """An ellipsis stands for anything."""
    for cell in first_cells(section("A gate failed")):
        for name in re.findall(r"`([\w…]+)`", cell):
            yield re.compile(name.replace("…", r"\w+"))


def test_every_rule_of_every_gate_says_what_to_do() -> None:
    known = list(patterns())
    assert len(rules()) > 50
    assert sorted(name for name in rules() if not any(known_.fullmatch(name) for known_ in known)) == []


def test_no_rule_stands_there_that_no_gate_has() -> None:
    assert [found.pattern for found in patterns() if not any(found.fullmatch(name) for name in rules())] == []


def test_a_task_that_failed_names_a_section_that_is_there(dags: dict, capsys: pytest.CaptureFixture[str]) -> None:
    import wiring

    named = set()
    for dag in dags.values():
        for task in dag.tasks:
            task.on_failure_callback[0]({"ti": SimpleNamespace(dag_id=dag.dag_id, task_id=task.task_id)})
            said = capsys.readouterr().out
            (heading,) = re.findall(r"docs/runbook.md, \'(.+?)\'\.", said)
            assert heading in HEADINGS, task.task_id
            named.add(heading)
    tasks = {task.task_id for dag in dags.values() for task in dag.tasks}
    # Tasks of settings: a publisher, and a person who has the last word.
    assert set(wiring.RUNBOOK) - tasks == {"download_new_files", "approve", "promote"}
    assert set(wiring.RUNBOOK.values()) <= HEADINGS


def test_every_complaint_of_the_watch_has_its_line() -> None:
    sound, limits = DataAge(1.0, 1.0, 5.0, 0, "1"), Limits(10, 100)
    late = DataAge(9_999.0, 1.0, 5.0, 10_000, "1")
    raised = [
        said
        for observed in (
            Observed(False, None, sound),
            Observed(True, None, None),
            Observed(True, 9_999.0, late),
        )
        for said in complaints(observed, limits)
    ]
    assert len(raised) == 6
    table = " ".join(first_cells(section("The stream is silent, late or stopped")))
    for words, stands in (
        ("Kafka does not answer", "Kafka does not answer"),
        ("holds no event", "it holds none"),
        ("no event came into", "no event came into the topic"),
        ("scored nothing yet", "has scored nothing yet"),
        ("last batch ended", "the last batch ended"),
        ("wait to be scored", "events wait"),
    ):
        assert any(words in said for said in raised), words
        assert stands in table, stands
