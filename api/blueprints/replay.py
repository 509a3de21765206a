"""The replay of recorded positions: how it gets on, and what it shall do."""

from flask import Blueprint

from api.context import Context
from api.endpoint import endpoint
from api.problems import Problem
from api.queries import Query
from api.replaymodels import ReplayOrder, ReplayState
from smartcity.errors import InputError, ServiceError
from smartcity.store.replay import ask, replay_row

blueprint = Blueprint("replay", __name__)


@endpoint(blueprint, "/api/replay", answer=ReplayState, problems=(503,))
def replay(context: Context, query: Query) -> ReplayState:
    """What is replayed, how fast, and how far it is."""
    return ReplayState.of(replay_row(context.engine))


@endpoint(
    blueprint,
    "/api/replay",
    method="POST",
    status=202,
    body=ReplayOrder,
    answer=ReplayState,
    problems=(409, 503),
    guarded=True,
)
def control_replay(context: Context, query: Query, body: ReplayOrder) -> ReplayState:
    """Pause, resume, seek, or change the speed of the replay.

    Carried out within a second, and after a restart of the replay too; `pending` is true until then. The same request
    again changes nothing. Times that are sent never go back: where they are moved to now, the replay goes on after a
    pause or a seek with the time that it is by then, whatever was recorded; with times as recorded it goes back in a
    loop only, into its next round. 409: no replay runs, or it cannot do that.
    """
    try:
        ask(context.engine, body.action, context.city.zone, body.to, body.factor)
    except (InputError, ServiceError) as error:
        raise Problem(409, f"{error}.") from error
    return ReplayState.of(replay_row(context.engine))
