"""Data Docs keep every run, link to its pages, and load nothing from elsewhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from expectations.__main__ import main
from expectations.runner import run
from expectations.suites import load
from smartcity.lake import Dataset
from smartcity.settings import ROOT, Settings
from tests.expectations import rows


def test_each_run_is_kept_and_its_pages_name_the_rule_and_the_reason(dataset: Dataset, settings: Settings) -> None:
    windows = rows.window_table(rows.window_rows(rows.FIRST))
    dataset.windows.write(windows)
    run(load("windows"), dataset, settings)
    dataset.windows.write(pa.concat_tables([windows, windows.slice(0, 1)]))
    outcome = run(load("windows"), dataset, settings)

    docs = settings.home / "data_docs"
    history = [json.loads(line) for line in (docs / "runs.jsonl").read_text().splitlines()]
    assert [entry["status"] for entry in history] == ["passed", "failed"]
    assert history[1]["failed"] == ["one_row_per_cell_and_window"]
    index = (docs / "index.html").read_text()
    links = re.findall(r"href='(validations/[^']+)'", index)
    assert len(links) == 6
    assert all((docs / link).is_file() for link in links)
    page = next(Path(p.removeprefix("file://")) for p in outcome.pages if "windows_rows" in p).read_text()
    assert "one_row_per_cell_and_window" in page
    assert "counts its vehicles twice" in page


def test_no_page_loads_anything_from_elsewhere(dataset: Dataset, settings: Settings) -> None:
    dataset.windows.write(rows.window_table(rows.window_rows(rows.FIRST)))
    run(load("windows"), dataset, settings)
    for page in (settings.home / "data_docs").rglob("*.html"):
        assert not re.search(r"""(?:<script[^>]+src|<link[^>]+href|<img[^>]+src)=["']https?:""", page.read_text()), page


def test_links_between_pages_lead_somewhere(dataset: Dataset, settings: Settings) -> None:
    dataset.windows.write(rows.window_table(rows.window_rows(rows.FIRST)))
    run(load("windows"), dataset, settings)
    for page in (settings.home / "data_docs").rglob("*.html"):
        for target in re.findall(r"""<a[^>]+href=["']([^"'#:]+)["']""", page.read_text()):
            assert (page.parent / target).exists(), (page, target)


def test_the_command_ends_with_one_json_line_and_an_exit_code_of_its_own_on_a_fail(
    dataset: Dataset, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAFFIC_HOME", str(settings.home))
    windows = rows.window_rows(rows.FIRST)
    dataset.windows.write(rows.window_table(windows))
    main(["windows", "--dataset", "city"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["status"] == "passed"
    dataset.windows.write(rows.window_table([*windows, windows[0]]))
    with pytest.raises(SystemExit, match="3"):
        main(["windows", "--dataset", "city"])
    said = capsys.readouterr()
    assert "one_row_per_cell_and_window failed" in said.err
    printed = said.out.splitlines()
    assert printed[0].startswith("FAIL one_row_per_cell_and_window")
    assert json.loads(printed[-1])["failed"] == ["one_row_per_cell_and_window"]


def test_wrong_arguments_are_refused_before_anything_heavy_is_imported() -> None:
    code = "import sys, expectations.__main__ as m; m.parser(); assert 'great_expectations' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
