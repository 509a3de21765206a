"""Control of the model that serves."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from flask import Blueprint, request
from sqlalchemy.exc import SQLAlchemyError

from api.context import Context
from api.endpoint import endpoint
from api.modelcontrol import Rollback, RolledBack
from api.problems import Problem
from api.queries import Query
from smartcity.errors import ModelError, RegistryError
from smartcity.store.ledger import ROLL_BACK, record_decision
from smartcity.topics import MODEL_EVENTS

log = logging.getLogger(__name__)
blueprint = Blueprint("model", __name__)

#: Two at once would both go back from the same version, and write the ledger twice.
_one_at_a_time = threading.Lock()
#: All that a roll-back asks of the registry has to be answered by then. More than one request may take, less than the
#: time that clients wait.
DEADLINE_SECONDS = 25.0
NO_ANSWER = "The model registry does not answer in time; /api/stats says in `model_version` which one serves."


@endpoint(
    blueprint,
    "/api/model/rollback",
    method="POST",
    body=Rollback,
    answer=RolledBack,
    problems=(409, 503),
    guarded=True,
)
def roll_back_model(context: Context, query: Query, body: Rollback) -> RolledBack:
    """Let the model version serve again that did before this one.

    The way back is the one come: rolled back twice, it is the version before that one. The version that returns is
    loaded first, so that a broken one never serves. 409 where there is nothing to go back to, or where another version
    than `if_serving` serves, and while another roll-back is under way; 503 where the registry does not answer within 25
    seconds. Topic `model_events` is told; where Kafka does not
    take the message, `announced` is false.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise Problem(409, "A roll-back is under way already.", headers={"Retry-After": "30"})
    done: Future[RolledBack] = Future()
    work = threading.Thread(
        target=_work, args=(context, body, request.remote_addr, done), name="roll-back", daemon=True
    )
    work.start()
    try:
        return done.result(DEADLINE_SECONDS)
    except TimeoutError as error:
        # What has not moved the alias yet will not do so any more; what has, is written down and announced as ever.
        if done.cancel():
            log.error("the model was not rolled back: the registry took longer than %g s", DEADLINE_SECONDS)
        raise Problem(503, NO_ANSWER, headers={"Retry-After": "30"}) from error
    except RegistryError as error:
        log.error("the model was not rolled back: %s", error)
        raise Problem(503, NO_ANSWER, headers={"Retry-After": "30"}) from error
    except ModelError as error:
        raise Problem(409, str(error)) from error


def _work(context: Context, body: Rollback, sender: str | None, done: "Future[RolledBack]") -> None:
    """Roll back, unless ``done`` is cancelled first, and say into it what came of that."""
    try:
        done.set_result(_roll_back(context, body, sender, done.set_running_or_notify_cancel))
    except BaseException as error:
        if not done.cancelled():
            done.set_exception(error)
    finally:
        _one_at_a_time.release()


def _roll_back(context: Context, body: Rollback, sender: str | None, may: Callable[[], bool]) -> RolledBack:
    # Imported where it is needed: the registry's client takes seconds, and is wanted once in months.
    from api.announcing import announce_roll_back
    from smartcity.model import registry

    registry.give_up_soon()
    left, back = registry.roll_back(context.settings, body.if_serving, may)
    log.warning("model rolled back from version %s to %s by %s: %s", left, back, sender, body.reason)
    try:
        record_decision(context.engine, back, ROLL_BACK, True, left, body.reason)
    except SQLAlchemyError as error:
        # It has happened, and must not look as if it had not.
        log.error("the ledger has no line of this roll-back: %s", error)
    announced = announce_roll_back(context.settings, back, left, body.reason)
    if not announced:
        log.error("%s was not told of this roll-back: Kafka did not take the message", MODEL_EVENTS.name)
    return RolledBack(serving=back, before=left, announced=announced)
