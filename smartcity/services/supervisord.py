"""``python -m smartcity.services.supervisord``: supervisord, which looks after its programs five times a second.

By itself it looks once a second, and needs two looks: one to see that a program ended, one to start it again.
"""

from typing import Any

from supervisor import poller, supervisord

LOOK_SECONDS = 0.2


class AttentivePoller(poller.Poller):  # type: ignore[misc]
    """Waits for output of the programs, but never for long."""

    def poll(self, timeout: float) -> Any:
        """Which files can be read and written, after ``LOOK_SECONDS`` at most."""
        return super().poll(min(timeout, LOOK_SECONDS))


if __name__ == "__main__":
    poller.Poller = AttentivePoller
    supervisord.main()
