"""Scenarios that kill: a service ends by SIGKILL again and again while events come in, and is started at once."""

import json
import time
from collections import Counter
from contextlib import suppress

from benchmarks import _events as sources
from benchmarks._world import World
from benchmarks.chaos_scenarios import Outcome, Request, judge
from smartcity.errors import ServiceError

#: Events for this long per kill; they must not run out before the last one.
SECONDS_PER_KILL = 120
IN_COMMIT, IN_BATCH, ANYWHERE = "between the database's commit and the checkpoint's", "in a batch", "between batches"


def killed(request: Request, victim: str, postgresql: bool = False) -> Outcome:
    """Kill ``victim`` again and again while our own producer sends; the moments differ from kill to kill."""
    outcome = Outcome(victim + ("-postgresql" if postgresql and victim != "database" else ""))
    with World(request.folder / outcome.scenario, request.jars, postgresql) as world:
        recorded = sources.positions(request.rate * SECONDS_PER_KILL * (request.kills + 2), world.dataset.city)
        world.dataset.positions.write(recorded)
        world.replay_options = ("--as-recorded", "--speed", "max", "--max-rate", str(request.rate))
        for name in ("stream", *(["api"] if victim == "api" else [])):
            world.start(name)
        world.wait(world.stream_runs)
        world.start("producer")
        world.wait(lambda: world.read() > request.rate)
        moments, until = Counter[str](), time.monotonic() + 60 * request.minutes
        while outcome.kills < request.kills and time.monotonic() < until:
            _await_moment(world, victim, outcome.kills)
            known = world.in_topic()
            if known + request.rate > len(recorded):
                outcome.problems.append(f"the events ran out before kill {outcome.kills + 1}: the machine is too busy")
                break
            started = time.monotonic()
            world.kill(victim)
            if victim == "stream":
                moments[IN_COMMIT if world.uncommitted() else IN_BATCH if world.planned() else ANYWHERE] += 1
            world.start(victim)
            # Recovered: what was there and a second's worth of what came after it is in the database.
            world.wait(lambda: world.read() >= known + request.rate)  # noqa: B023
            if victim == "api":
                world.wait(world.api_answers)
            outcome.recovered(started)
            outcome.kills += 1
        outcome.note = ", ".join(f"{count} {moment}" for moment, count in moments.items())
        world.end("producer")
        sent = json.loads((world.home / "replay" / "state.json").read_text())["events"]
        return judge(world, outcome, recorded.slice(0, sent))


def _await_moment(world: World, victim: str, number: int) -> None:
    """Kills of the stream fall into a commit, into a batch, and anywhere; all others are spread over a second."""
    time.sleep(1.0 + 0.37 * (number % 3))
    moments = (world.uncommitted, world.planned)
    if victim == "stream" and number % 3 < len(moments):
        with suppress(ServiceError):
            world.wait(moments[number % 3], 20, step=0.01)
