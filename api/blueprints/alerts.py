"""Alerts, and the rules that raise them."""

import secrets
from datetime import UTC, datetime

from flask import Blueprint
from sqlalchemy import and_, func, insert, or_, select

from api.alertmodels import Alert, AlertList, AlertsQuery, CreatedRule, NewRule, Rule, Rules
from api.alerts import forget
from api.context import Context
from api.deliveries import Refused, address_of, new_secret
from api.endpoint import endpoint
from api.problems import ParameterError, Problem
from api.queries import Query
from smartcity.store.tables import AlertRow, AlertRule

blueprint = Blueprint("alerts", __name__)

#: Each is judged every time the city changes.
MOST_RULES = 500
RULE_ID = {"rule_id": "As it was given when the rule was made."}


@endpoint(blueprint, "/api/alert-rules", answer=Rules, problems=(503,))
def alert_rules(context: Context, query: Query) -> Rules:
    """All alert rules."""
    with context.engine.connect() as connection:
        rows = connection.execute(select(AlertRule.__table__).order_by(AlertRule.created_utc, AlertRule.id)).mappings()
        return Rules(rules=[Rule.model_validate(dict(row)) for row in rows])


@endpoint(
    blueprint,
    "/api/alert-rules",
    method="POST",
    status=201,
    body=NewRule,
    answer=CreatedRule,
    problems=(409, 503),
)
def create_alert_rule(context: Context, query: Query, body: NewRule) -> CreatedRule:
    """Make an alert rule.

    It is raised when the share of its known cells at its level or worse reaches `min_share` and stays there for
    `min_minutes` of the data's time, and over when the share stays below `clear_share` for `clear_minutes`. Both are
    told on the stream (`alerts` of an update) and, where there is a `webhook_url`, as a POST with the same content,
    signed in `X-Traffic-Signature`: `t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.BODY` under `webhook_secret`. A
    webhook that is not answered with 2xx is tried nine times more, over about three hours; `X-Traffic-Delivery` is the
    same each time.
    """
    if body.webhook_url:
        try:
            address_of(body.webhook_url, context.settings.webhook_private)
        except Refused as error:
            wrong = [ParameterError(parameter="webhook_url", message=str(error))]
            raise Problem(400, f"The body is not valid: webhook_url: {error}", errors=wrong) from error
    values = {
        **body.model_dump(),
        "bbox": list(body.bbox) if body.bbox else None,
        "clear_share": body.clear_share if body.clear_share is not None else body.min_share,
        "id": secrets.token_hex(16),
        "webhook_secret": new_secret() if body.webhook_url else None,
        "created_utc": datetime.now(UTC),
    }
    with context.engine.begin() as connection:
        if (connection.execute(select(func.count()).select_from(AlertRule)).scalar() or 0) >= MOST_RULES:
            raise Problem(409, f"There are {MOST_RULES} rules, which is the most; delete one first.")
        connection.execute(insert(AlertRule), [values])
    return CreatedRule.model_validate(values)


@endpoint(
    blueprint,
    "/api/alert-rules/{rule_id}",
    method="DELETE",
    status=204,
    answer=None,
    problems=(404, 503),
    path_parameters=RULE_ID,
)
def delete_alert_rule(context: Context, query: Query, rule_id: str) -> None:
    """Delete an alert rule, with its alerts and what was still to be sent."""
    with context.engine.begin() as connection:
        if not forget(connection, rule_id):
            raise Problem(404, f"There is no alert rule {rule_id!r}.")


@endpoint(blueprint, "/api/alerts", query=AlertsQuery, answer=AlertList, problems=(503,))
def alerts(context: Context, query: AlertsQuery) -> AlertList:
    """Alerts, newest first: those that last and those that are over."""
    table = AlertRow.__table__
    asked = select(table).order_by(table.c.raised_utc.desc(), table.c.id.desc()).limit(query.limit + 1)
    if query.state is not None:
        over = table.c.cleared_utc.is_not(None)
        asked = asked.where(over if query.state == "cleared" else ~over)
    if query.rule_id is not None:
        asked = asked.where(table.c.rule_id == query.rule_id)
    with context.engine.connect() as connection:
        if query.cursor is not None:
            at = connection.execute(select(table.c.raised_utc).where(table.c.id == query.cursor)).scalar()
            if at is None:
                wrong = [ParameterError(parameter="cursor", message="no alert of this name")]
                raise Problem(400, "The query is not valid: cursor: no alert of this name", errors=wrong)
            asked = asked.where(or_(table.c.raised_utc < at, and_(table.c.raised_utc == at, table.c.id < query.cursor)))
        rows = [Alert.model_validate(dict(row)) for row in connection.execute(asked).mappings()]
    page = rows[: query.limit]
    return AlertList(alerts=page, next_cursor=page[-1].id if len(rows) > len(page) else None)
