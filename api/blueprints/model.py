"""Control of the model that serves."""

import logging
import threading

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
    than `if_serving` serves; 503 where the registry does not answer. Topic `model_events` is told; where Kafka does not
    take the message, `announced` is false.
    """
    # Imported where it is needed: the registry's client takes seconds, and is wanted once in months.
    from api.announcing import announce_roll_back
    from smartcity.model import registry

    registry.give_up_soon()
    with _one_at_a_time:
        try:
            left, back = registry.roll_back(context.settings, body.if_serving)
        except RegistryError as error:
            log.error("the model was not rolled back: %s", error)
            raise Problem(
                503, "The model registry does not answer; the model goes on.", headers={"Retry-After": "30"}
            ) from error
        except ModelError as error:
            raise Problem(409, str(error)) from error
        log.warning("model rolled back from version %s to %s by %s: %s", left, back, request.remote_addr, body.reason)
        try:
            record_decision(context.engine, back, ROLL_BACK, True, left, body.reason)
        except SQLAlchemyError as error:
            # It has happened, and must not look as if it had not.
            log.error("the ledger has no line of this roll-back: %s", error)
    announced = announce_roll_back(context.settings, back, left, body.reason)
    if not announced:
        log.error("%s was not told of this roll-back: Kafka did not take the message", MODEL_EVENTS.name)
    return RolledBack(serving=back, before=left, announced=announced)
