"""The stream under fire: services killed, poisoned and starved, and after each the database against a plain count.

    ./traffic bench chaos --scenario stream,broker --kills 20

Each scenario starts a broker, a stream, a database and a producer of its own, as real processes on free ports; none
touches the system that runs. It ends with the comparison (``_oracle.py``), and tells how long each recovery took.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks._events import messages, positions
from benchmarks._postgres import has_postgresql
from benchmarks._world import World
from benchmarks.chaos_kills import killed
from benchmarks.chaos_scenarios import Outcome, Request, Scenario, fed
from benchmarks.chaos_starved import full_disk, registry
from smartcity.errors import InputError, TrafficError
from smartcity.services import jars
from smartcity.services.java import class_archive
from smartcity.settings import Settings

#: No recovery may take longer.
RECOVERY_SECONDS = 30.0


def scenarios() -> dict[str, Scenario]:
    """All that can run here, by name."""
    found: dict[str, Scenario] = {
        **{name: partial(fed, scenario=name) for name in ("poison", "shuffled", "future")},
        **{name: partial(killed, victim=name) for name in ("stream", "broker", "producer", "api")},
        "disk": full_disk,
        "registry": registry,
    }
    if has_postgresql():
        found["database"] = partial(killed, victim="database", postgresql=True)
        found["stream-postgresql"] = partial(killed, victim="stream", postgresql=True)
    return found


def run_before(request: Request) -> None:
    """Where there was none: a first run of broker and stream that ends well, and leaves Java's archives of classes."""
    settings = Settings()
    made = [class_archive(settings, "stream"), class_archive(settings, "kafka", jars.folder(settings, jars.BROKER))]
    if not any("ArchiveClassesAtExit" in option for options in made for option in options):
        return
    with World(request.folder / "first", request.jars) as world:
        sent = messages(positions(1_000, world.dataset.city))
        world.start("stream")
        world.produce(sent, request.rate)
        world.wait(lambda: world.settled(len(sent)))
        world.end("stream")
        world.end("broker")
    shutil.rmtree(world.home)


def run(names: list[str], request: Request) -> list[Outcome]:
    """Run scenarios one after the other; each is told on standard error as it ends. Raises: InputError."""
    known = scenarios()
    if unknown := sorted(set(names) - set(known)):
        raise InputError(f"there is no scenario {unknown[0]!r} here; there are: {', '.join(known)}")
    run_before(request)
    found = []
    for name in names or list(known):
        try:
            outcome = known[name](request)
        except TrafficError as error:
            outcome = Outcome(name, problems=[str(error)])
        slow = [seconds for seconds in outcome.recoveries if seconds > RECOVERY_SECONDS]
        if slow:
            outcome.problems.append(f"{len(slow)} of {len(outcome.recoveries)} recoveries took longer than 30 s")
        print(line(outcome), file=sys.stderr, flush=True)
        found.append(outcome)
        if not outcome.problems:
            shutil.rmtree(request.folder / outcome.scenario, ignore_errors=True)
    return found


def line(outcome: Outcome) -> str:
    """One scenario in a line."""
    times = sorted(outcome.recoveries)
    recovery = "no recovery needed"
    if times:
        recovery = f"recovery {statistics.median(times):.1f} s, at most {times[-1]} s at load {max(outcome.loads)}"
    verdict = "; ".join(outcome.problems) or ("equal" if outcome.events else "not tried")
    return (
        f"{outcome.scenario:18} {outcome.events:9,} events {outcome.windows:6,} windows {outcome.rejected:5} rejected "
        f"{outcome.kills:3} kills, {recovery}: {verdict}{f' ({outcome.note})' if outcome.note else ''}"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--scenario", default="", help=f"of {', '.join(scenarios())}; default: all")
    arguments.add_argument("--kills", type=int, default=5, help="kills in each scenario that kills")
    arguments.add_argument("--minutes", type=float, default=30, help="for the kills of a scenario; then it is judged")
    arguments.add_argument("--rate", type=int, default=2_000, help="events a second")
    arguments.add_argument("--events", type=int, default=60_000, help="events in each scenario that does not kill")
    arguments.add_argument("--json", action="store_true", help="one JSON object")
    options = arguments.parse_args()
    names = [name for name in options.scenario.split(",") if name]
    settings = Settings()
    try:
        for pool in (jars.BROKER, jars.CONNECTOR):
            jars.fetch(settings, pool)
        folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        request = Request(folder, settings.jar_folder, options.kills, options.minutes, options.rate, options.events)
        outcomes = run(names, request)
    except TrafficError as error:
        sys.exit(f"chaos: {error}")
    if options.json:
        print(json.dumps({"benchmark": "chaos", "scenarios": [asdict(outcome) for outcome in outcomes]}))
    if any(outcome.problems for outcome in outcomes):
        sys.exit(f"chaos: not all is well; what the services said: {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
