"""The curl commands of docs/api.md, sent as they stand there."""

import re
import shlex

import pytest
from flask.testing import FlaskClient

from smartcity.settings import ROOT

TEXT = (ROOT / "docs" / "api.md").read_text().replace("\\\n", " ")
#: A command may go on over lines inside quotes.
COMMANDS = re.findall(r"^(curl (?:[^\n']|'[^']*')*)$", TEXT, re.MULTILINE)


def asked(command: str) -> tuple[str, str, dict[str, str], str | None]:
    words = shlex.split(command, comments=True)[1:]
    method, headers, body, url = "GET", {}, None, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0)
        else:
            url = word.removeprefix("http://127.0.0.1:5000")
    return method, url, headers, body


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_is_answered_as_the_page_says(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    # The webhook's example is a name that only the network can resolve.
    monkeypatch.setattr("api.blueprints.alerts.address_of", lambda *_: None)
    method, url, headers, body = asked(command)
    answer = client.open(url, method=method, headers=headers, data=body)
    # What controls the system needs a token that is set, and here none is.
    expected = 200 if method == "GET" else {"/api/alert-rules": 201}.get(url, 403)
    assert answer.status_code == expected, answer.text
