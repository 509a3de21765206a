from datetime import timedelta
from itertools import islice

import pytest

from api.alertmodels import NewRule
from api.client import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, ApiError, TrafficClient, _wait_before
from smartcity.messages import Snapshot, Update
from tests.api.conftest import Running
from tests.api.rows import FAST, NOW, SLOW, scored


@pytest.fixture
def api(running: Running) -> TrafficClient:
    return TrafficClient(f"http://127.0.0.1:{running.port}")


def test_answers_come_as_their_models(api: TrafficClient) -> None:
    assert api.current_traffic(level="high").cells[0].cell_id == SLOW
    assert api.predictions(cells=[FAST], at=NOW - timedelta(minutes=30)).predictions[0].outcome.level == "low"
    assert len(api.historical(cell_id=FAST, from_=NOW - timedelta(hours=1), step_minutes=15).series) >= 4
    assert api.hotspots(bbox=(-74.0, 40.74, -73.97, 40.77)).hotspots[0].cell.cell_id == FAST
    assert api.cell(SLOW).cell.level == "high"
    assert api.stats().cells == 3
    assert api.accuracy().step_minutes == 15


def test_a_server_that_is_away_is_asked_often_at_first_and_rarely_after_days() -> None:
    waits = [_wait_before(attempt) for attempt in range(40)]
    assert waits[:10] == [FIRST_RETRY_SECONDS] * 10, "a restart takes seconds, and no attempt is waited away"
    assert waits[10:13] == [1.0, 2.0, 4.0]
    assert waits[-1] == _wait_before(10**6) == LAST_RETRY_SECONDS


def test_rules_are_made_and_deleted(api: TrafficClient) -> None:
    made = api.create_alert_rule(NewRule(name="Harlem", cells=[SLOW]))
    assert [rule.id for rule in api.alert_rules().rules] == [made.id]
    api.delete_alert_rule(made.id)
    assert api.alerts().alerts == []


def test_a_problem_is_an_error_that_says_what(api: TrafficClient) -> None:
    with pytest.raises(ApiError, match="404 Not Found"):
        api.cell("882a100d69fffff")


def test_the_stream_begins_with_a_snapshot_and_takes_up_again_after_a_lost_connection(
    api: TrafficClient, running: Running
) -> None:
    messages = api.stream(cells=[SLOW])
    first = list(islice(messages, 3))
    assert [type(message) for message in first] == [Snapshot, Update, Update]
    for client in list(running.context.loop._clients.values()):
        client.sock.shutdown(2)
    running.context.state.apply([scored(SLOW, -1, 0.9, "low")])
    again = next(message for message in messages if isinstance(message, Snapshot))
    assert [(cell.cell_id, cell.level) for cell in again.cells] == [(SLOW, "low")]
