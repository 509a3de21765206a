"""What a scenario is asked for and answers, and the comparison with the plain count in which each of them ends."""

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from benchmarks import _events as sources
from benchmarks._oracle import differences, expected, stored
from benchmarks._world import World
from smartcity.errors import ServiceError


@dataclass
class Outcome:
    """What came of a scenario. ``problems``: what was not as it must be; none where all is well.

    ``recoveries``: seconds; ``loads``: the machine's load average (1 minute) at the end of each.
    """

    scenario: str
    events: int = 0
    windows: int = 0
    rejected: int = 0
    kills: int = 0
    recoveries: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    note: str = ""

    def recovered(self, since: float) -> None:
        """A recovery that began at ``since``, on the monotonic clock, is over."""
        self.recoveries.append(round(time.monotonic() - since, 1))
        self.loads.append(round(os.getloadavg()[0], 1))


@dataclass(frozen=True)
class Request:
    """How hard to try. ``folder``: where worlds live; ``jars``: Java archives."""

    folder: Path
    jars: Path
    kills: int = 5
    minutes: float = 30.0
    rate: int = 2_000
    events: int = 60_000


Scenario = Callable[[Request], Outcome]


def judge(world: World, outcome: Outcome, good: pa.Table, broken: Sequence[str] = ()) -> Outcome:
    """Wait until all is read, stop the stream, and compare: windows by key, counts in all, rejected by reason."""
    total = len(good) + len(broken)
    if (sent := world.in_topic()) != total:
        outcome.problems.append(f"{total} events were confirmed, {sent} are in the topic")
    try:
        world.wait(lambda: world.settled(sent))
        world.end("stream")
    except ServiceError as error:
        outcome.problems.append(f"the stream did not take in {sent} events: {world.figures()} ({error})")
    outcome.events, outcome.rejected = total, len(broken)
    wanted = expected(good, world.dataset.city)
    outcome.windows = len(wanted)
    if different := differences(stored(world.engine), wanted):
        outcome.problems.append(f"{len(different)} windows differ, e.g. {different[0]}")
    figures = world.figures()
    counts = tuple(figures.get(name) for name in ("total_read", "total_good", "total_rejected", "total_late"))
    if counts != (total, len(good), len(broken), 0):
        outcome.problems.append(f"read, good, rejected, late are {counts}, not {(total, len(good), len(broken), 0)}")
    if broken and (told := world.rejected()) != Counter(broken):
        outcome.problems.append(f"rejected were {dict(told)}, not {dict(Counter(broken))}")
    return outcome


def fed(request: Request, scenario: str) -> Outcome:
    """Poison, disorder or an event from tomorrow among the good ones; nothing is killed."""
    outcome = Outcome(scenario)
    with World(request.folder / scenario, request.jars) as world:
        good = sources.positions(request.events, world.dataset.city)
        sent, broken = sources.messages(good), list[str]()
        if scenario == "poison":
            sent, broken = sources.mixed(sent, 0.01)
        elif scenario == "shuffled":
            sent = sources.shuffled(sent, 0.2, 0.9 * 60 * world.settings.allowed_lateness_minutes)
        else:
            sent.insert(len(sent) // 3, sources.from_tomorrow())
            broken = ["from_the_future"]
        world.start("stream")
        world.produce(sent, request.rate)
        return judge(world, outcome, good, broken)
