"""Webhooks of alerts: signed, tried again until taken or given up, and never sent into the server's own network."""

import hashlib
import hmac
import ipaddress
import logging
import secrets
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import urllib3
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import SQLAlchemyError

from smartcity.store.tables import AlertRule, DeliveryRow

log = logging.getLogger(__name__)

#: Seconds until the next attempt, after the first, the second, …; after the last it is given up.
RETRY_SECONDS = (2, 5, 15, 60, 300, 900, 3600, 3600, 3600)
TIMEOUT_SECONDS = 5.0
MOST_AT_ONCE = 50
SIGNATURE = "X-Traffic-Signature"


class Refused(Exception):
    """A webhook may not be sent there."""


def new_secret() -> str:
    """A key to sign a rule's webhooks with."""
    return secrets.token_hex(32)


def sign(secret: str, body: bytes, moment: int) -> str:
    """``t=SECONDS,v1=HEX``: HMAC-SHA256 of the seconds, a dot and the body; the time keeps it from being sent again."""
    digest = hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def verify(secret: str, body: bytes, signature: str, now: float, tolerance_seconds: float = 300.0) -> bool:
    """Whether a webhook is ours and fresh: for its receiver."""
    parts = dict(part.partition("=")[::2] for part in signature.split(","))
    if not parts.get("t", "").isdecimal() or abs(now - int(parts["t"])) > tolerance_seconds:
        return False
    return hmac.compare_digest(sign(secret, body, int(parts["t"])), signature)


def address_of(url: str, private: bool) -> str:
    """The address a webhook goes to, checked; the connection then goes to that very address.

    Raises: Refused where it is no HTTP address, does not resolve, or is inside.
    """
    try:
        target = urlsplit(url)
    except ValueError as error:
        raise Refused(f"{url!r} is no http(s) address") from error
    if target.scheme not in ("http", "https") or not target.hostname or target.username is not None:
        raise Refused(f"{url!r} is no http(s) address")
    try:
        found = socket.getaddrinfo(target.hostname, target.port or target.scheme, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise Refused(f"{target.hostname!r} does not resolve") from error
    addresses = [str(item[4][0]) for item in found]
    for address in addresses:
        # Every address: a name that resolves to one outside and one inside is an attempt.
        if not private and not ipaddress.ip_address(address.partition("%")[0]).is_global:
            raise Refused(f"{target.hostname} is {address}, which is not public; TRAFFIC_WEBHOOK_PRIVATE allows it")
    return addresses[0]


def post(url: str, body: bytes, headers: dict[str, str], private: bool) -> int:
    """POST, without following anything. Returns: the status. Raises: Refused, or urllib3's HTTPError."""
    target, address = urlsplit(url), address_of(url, private)
    options: dict[str, Any] = {"timeout": TIMEOUT_SECONDS, "retries": False, "maxsize": 1}
    if target.scheme == "https":
        pool: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(
            address, target.port or 443, server_hostname=target.hostname, assert_hostname=target.hostname, **options
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, target.port or 80, **options)
    path = f"{target.path or '/'}{'?' + target.query if target.query else ''}"
    with pool:
        answer = pool.request(
            "POST",
            path,
            body=body,
            headers={"Host": target.netloc, **headers},
            redirect=False,
            preload_content=False,
            assert_same_host=False,
        )
        answer.close()
        return int(answer.status)


class Deliveries(threading.Thread):
    """Sends what is due, for ever; the queue is in the database and survives this process."""

    def __init__(self, engine: Engine, private: bool) -> None:
        super().__init__(name="deliveries", daemon=True)
        self._engine = engine
        self._private = private
        self._ending = threading.Event()
        self._news = threading.Event()
        self.failed = 0
        self.sent = 0

    def wake(self) -> None:
        """Something was put into the queue."""
        self._news.set()

    def stop(self) -> None:
        """End after the webhook under way."""
        self._ending.set()
        self._news.set()
        if self.is_alive():
            self.join(TIMEOUT_SECONDS + 1)

    def run(self) -> None:
        """Send until stopped."""
        while not self._ending.is_set():
            self._news.wait(1.0)
            self._news.clear()
            try:
                self.send_due()
            except SQLAlchemyError as error:
                log.warning("webhooks wait: the database does not answer (%s)", type(error).__name__)

    def send_due(self) -> int:
        """Send everything that is due now. Returns: how many were tried."""
        query = (
            select(DeliveryRow.__table__, AlertRule.webhook_secret)
            .join(AlertRule, AlertRule.id == DeliveryRow.rule_id)
            .where(DeliveryRow.due_utc <= datetime.now(UTC))
            .order_by(DeliveryRow.due_utc)
            .limit(MOST_AT_ONCE)
        )
        with self._engine.connect() as connection:
            due = connection.execute(query).mappings().all()
        for row in due:
            if self._ending.is_set():
                break
            self._try(dict(row))
        return len(due)

    def _try(self, row: dict[str, Any]) -> None:
        body, moment = row["body"].encode(), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "smart-city-traffic",
            "X-Traffic-Delivery": row["id"],
            SIGNATURE: sign(row["webhook_secret"] or "", body, moment),
        }
        error: str | None = None
        try:
            status = post(row["url"], body, headers, self._private)
            if not 200 <= status < 300:
                error = f"answered {status}"
        except Refused as refused:
            error = str(refused)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as failed:
            error = type(failed).__name__
        self._record(row, error)

    def _record(self, row: dict[str, Any], error: str | None) -> None:
        attempts, now = row["attempts"] + 1, datetime.now(UTC)
        values: dict[str, Any] = {"attempts": attempts, "last_error": error[:200] if error else None}
        if error is None:
            self.sent += 1
            values |= {"delivered_utc": now, "due_utc": None}
        elif attempts > len(RETRY_SECONDS):
            self.failed += 1
            values |= {"given_up": True, "due_utc": None}
            log.warning("webhook %s given up after %d attempts: %s", row["id"], attempts, error)
        else:
            values["due_utc"] = now + timedelta(seconds=RETRY_SECONDS[attempts - 1])
        with self._engine.begin() as connection:
            connection.execute(update(DeliveryRow).where(DeliveryRow.id == row["id"]).values(values))
