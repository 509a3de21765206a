"""The server of ``bench sockets``: the API as it is, with a city that changes by itself instead of a broker."""

import os
import threading
import time
from datetime import UTC, datetime

from flask import Flask

from api import server
from benchmarks._load import cells, window
from smartcity.settings import Settings


def _change(context, changed: int, vehicles: int) -> None:
    names, turn = cells(max(changed, int(os.environ["FEED_CELLS"]))), 0
    while True:
        now = datetime.now(UTC)
        end = now.replace(second=0, microsecond=0)
        chosen = [(turn * changed + n) % len(names) for n in range(changed)]
        context.state.apply([window(names[n], end, turn + n) for n in chosen])
        moved = []
        for n in range(vehicles):
            name = f"bench-{n}"
            position = (
                f'{{"vehicle_id":"{name}","timestamp":"{now.isoformat()}","latitude":{40.7 + n % 100 / 1000},'
                f'"longitude":{-74 + (n + turn) % 100 / 1000},"speed":12.5}}'
            )
            moved.append((name.encode(), position.encode()))
        context.vehicles.apply(moved)
        turn += 1
        time.sleep(context.settings.push_seconds / 2)


class Fed(server.Server):
    """The API's server, fed."""

    def load(self) -> Flask:
        app = super().load()
        arguments = (app.extensions["smartcity"], int(os.environ["FEED_CHANGED"]), int(os.environ["FEED_VEHICLES"]))
        threading.Thread(target=_change, args=arguments, daemon=True).start()
        return app


if __name__ == "__main__":
    Fed(Settings()).run()
