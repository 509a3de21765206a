"""Data Docs: Great Expectations' page for each validation, readable without a network, and an index of all runs."""

import html
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import great_expectations as gx
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.resource_identifiers import ValidationResultIdentifier

from expectations.context import SITE
from expectations.outcome import Outcome

#: One JSON object per gate run, oldest first; the index is made from it.
HISTORY = "runs.jsonl"
STYLE_SHEET = Path(__file__).with_name("data_docs.css")
#: What the pages would fetch from elsewhere: they are read on hosts without a way out.
REMOTE = re.compile(
    r"<script[^>]+src=\"https?://[^>]*>\s*</script>|<link[^>]+href=\"https?://[^>]*>|<img[^>]+https?://[^>]*>"
)
#: The suite's own page, which is not built (suites are code), and the publisher's advertisement.
DEAD_LINK = re.compile(r'<a href="[./]*expectations/[^"]*"[^>]*>(.*?)</a>')
FOOTER = re.compile(r"<footer>.*?</footer>", re.DOTALL)


def publish(context: EphemeralDataContext, home: Path, outcome: Outcome, run_id: gx.RunIdentifier) -> list[str]:
    """Build the pages of one run and the index over all runs. Returns: addresses, the index first."""
    folder = home / "data_docs"
    store = context.validation_results_store
    made = [
        key
        for key in store.list_keys()
        if isinstance(key, ValidationResultIdentifier)
        and key.run_id.run_name == run_id.run_name
        and key.run_id.run_time == run_id.run_time
    ]
    context.build_data_docs(site_names=[SITE], resource_identifiers=made, build_index=False)
    pages = [_page(key) for key in made]
    for page in pages:
        _offline(folder / page, depth=len(page.parts) - 1)
    (folder / "site.css").write_text(STYLE_SHEET.read_text())
    _remember(folder, outcome, run_id, pages)
    _index(folder)
    return [(folder / "index.html").as_uri(), *((folder / page).as_uri() for page in pages)]


def _page(key: ValidationResultIdentifier) -> Path:
    """Where the site builder puts the page of a result; a day's name may hold dots, so the ending is added as text."""
    *folders, name = (str(part) for part in key.to_tuple())  # type: ignore[no-untyped-call]
    return Path("validations", *folders, f"{name}.html")


def _offline(page: Path, depth: int) -> None:
    """Drop what a page would load from elsewhere and give it a style sheet of its own."""
    up = "../" * depth
    text = DEAD_LINK.sub(r"\1", REMOTE.sub("", page.read_text()))
    text = FOOTER.sub("", text)
    head = f'<link rel="stylesheet" href="{up}site.css"><p class="way-back"><a href="{up}index.html">All gates</a></p>'
    page.write_text(re.sub(r"(<body[^>]*>)", rf"\1{head}", text, count=1))


def _remember(folder: Path, outcome: Outcome, run_id: gx.RunIdentifier, pages: list[Path]) -> None:
    """Append the run to the history; a single short write, so that gates that end together do not mix."""
    record = {**outcome.figures(), "run_utc": run_id.run_time.astimezone(UTC).isoformat(), "pages": [*map(str, pages)]}
    record["mark"] = outcome.mark
    with (folder / HISTORY).open("a") as history:
        history.write(json.dumps(record) + "\n")


def _index(folder: Path) -> None:
    """All runs, newest first."""
    runs = [json.loads(line) for line in (folder / HISTORY).read_text().splitlines()]
    rows = "\n".join(_row(run) for run in reversed(runs))
    temporary = folder / f".index-{datetime.now(UTC).timestamp()}"
    temporary.write_text(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Data Docs</title>"
        "<link rel='stylesheet' href='site.css'></head><body><main><h1>Data-quality gates</h1>"
        "<p>Each line is a run of a suite over a span of days, newest first. FAIL stops what depends on the data; "
        "WARN goes on and is seen.</p><table class='runs'><thead>"
        "<tr><th>Run (UTC)</th><th>Suite</th><th>Data set</th><th>Days</th><th>Rows</th>"
        "<th>Result</th><th>Broken rules</th><th>Pages</th></tr></thead>"
        f"<tbody>\n{rows}\n</tbody></table></main></body></html>\n"
    )
    temporary.replace(folder / "index.html")


def _row(run: dict[str, object]) -> str:
    broken = [*_names(run, "failed", "FAIL"), *_names(run, "warned", "WARN")]
    pages = run["pages"] if isinstance(run["pages"], list) else []
    links = " ".join(f"<a href='{html.escape(str(page))}'>{_title(str(page), run)}</a>" for page in pages)
    cells = [
        html.escape(str(run["run_utc"])[:19].replace("T", " ")),
        html.escape(str(run["gate"])),
        html.escape(str(run["dataset"])),
        html.escape(f"{run['from']} to {run['to']}"),
        f"{run['rows']:,}",
        f"<span class='{run['status']}'>{run['status']}</span>",
        "<br>".join(broken) or "none",
        links,
    ]
    mark = html.escape(str(run.get("mark", "")), quote=True)
    return (f"<tr id='{mark}'>" if mark else "<tr>") + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _names(run: dict[str, object], key: str, label: str) -> list[str]:
    names = run[key] if isinstance(run[key], list) else []
    return [f"{label} {html.escape(str(name))}" for name in names]  # type: ignore[attr-defined]


def _title(page: str, run: dict[str, object]) -> str:
    return html.escape(Path(page).stem.removeprefix(f"lake-{run['gate']}_"))
