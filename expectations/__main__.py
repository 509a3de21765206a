"""``python -m expectations SUITE --dataset NAME --from D --to D``: exit 3 when a FAIL rule is broken.

Exit 99 where there is nothing to judge yet, and 1 where the data could not be judged.
"""

import argparse
import gc
import json
import sys
import time
from datetime import date

from expectations.suites import SUITES, load
from smartcity.errors import GateFailedError, NothingYetError, TrafficError
from smartcity.lake import Dataset
from smartcity.settings import Settings

#: Exit code where there is nothing to judge yet.
NOTHING_YET = 99


def parser() -> argparse.ArgumentParser:
    """The arguments; days are the city's, both included."""
    arguments = argparse.ArgumentParser(prog="python -m expectations", description="Check a table before it is used.")
    arguments.add_argument("suite", choices=sorted(SUITES))
    arguments.add_argument("--dataset", help="name of the data set; default: TRAFFIC_DATASET")
    arguments.add_argument("--from", dest="start", type=date.fromisoformat, help="first day, YYYY-MM-DD, city time")
    arguments.add_argument("--to", dest="end", type=date.fromisoformat, help="last day, included")
    arguments.add_argument(
        "--accept",
        type=rule_names,
        default=[],
        metavar="RULE,…",
        help="report these rules, but go on; SUITE.RULE is read too",
    )
    arguments.add_argument("files", nargs="*", metavar="FILE", help="for the suite raw: trip files; default: the inbox")
    arguments.add_argument("--zones", help="zone polygons for files with location ids")
    arguments.add_argument("--mark", default="", help="name of the run's line in Data Docs, to link to")
    arguments.add_argument("--json", action="store_true", help="print the final JSON line only")
    return arguments


def rule_names(text: str) -> list[str]:
    """The names in a list with commas; empty ones are dropped."""
    return [name.strip() for name in text.split(",") if name.strip()]


def of_suite(names: list[str], suite: str) -> list[str]:
    """The rules meant for ``suite``: those that name it, without its name, and those that name none."""
    return [name.rpartition(".")[2] for name in names if name.rpartition(".")[0] in ("", suite)]


def main(argv: list[str] | None = None) -> None:
    """Run one gate; what is broken goes to standard output, and a JSON line ends it."""
    options = parser().parse_intermixed_args(argv)
    started = time.monotonic()
    try:
        # Great Expectations takes seconds to import: wrong arguments must not wait for it.
        from expectations.runner import require, run

        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        settings = Settings()
        dataset = Dataset.of(settings, options.dataset)
        outcome = run(
            load(options.suite),
            dataset,
            settings,
            options.start,
            options.end,
            of_suite(options.accept, options.suite),
            files=options.files,
            zones=options.zones,
            mark=options.mark,
        )
        if not options.json:
            for finding in outcome.findings:
                print(finding.line())
            print(f"Data Docs: {', '.join(outcome.pages)}")
        print(json.dumps({**outcome.figures(), "seconds": round(time.monotonic() - started, 2)}), flush=True)
        require(outcome)
    except NothingYetError as error:
        # Neither good nor bad: a schedule skips what depends on it.
        print(f"expectations: {error}")
        sys.exit(NOTHING_YET)
    except GateFailedError as error:
        print(f"expectations: {error}", file=sys.stderr)
        sys.exit(GateFailedError.EXIT_CODE)
    except TrafficError as error:
        sys.exit(f"expectations: {error}")


if __name__ == "__main__":
    # A third of a gate's time went to the collector, which walked all models of Great Expectations again and again as
    # they were imported. They stay to the end: it need not look at them.
    gc.disable()
    main()
