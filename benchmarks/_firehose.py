"""Sends positions of now at an even rate, in a given number of cells, until SIGTERM: a process of its own."""

import argparse
import random
import time
from datetime import UTC, datetime

import h3
from confluent_kafka import Producer

from smartcity.events import encode_fields
from smartcity.topics import VEHICLE_POSITIONS

CENTER = (40.73, -73.98)
#: Vehicles report once a minute.
STEP_SECONDS = 60
TICK_SECONDS = 0.01


def places(cells: int, resolution: int) -> list[tuple[float, float]]:
    """The middles of the ``cells`` cells nearest to the city's middle."""
    middle, found, ring = h3.latlng_to_cell(*CENTER, resolution), list[str](), 0
    while len(found) < cells:
        found += sorted(h3.grid_ring(middle, ring))
        ring += 1
    return [h3.cell_to_latlng(cell) for cell in found[:cells]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rate", type=int, required=True)
    arguments.add_argument("--cells", type=int, required=True)
    arguments.add_argument("--kafka", required=True, help="brokers")
    arguments.add_argument("--resolution", type=int, required=True, help="of the cells")
    options = arguments.parse_args()
    at = places(options.cells, options.resolution)
    chance, vehicles = random.Random(1), options.rate * STEP_SECONDS
    drivers = [f"bench-{number}" for number in range(vehicles)]
    producer = Producer(
        {
            "bootstrap.servers": options.kafka,
            "enable.idempotence": True,
            "linger.ms": 5,
            "compression.type": "lz4",
            "delivery.report.only.error": True,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    started, sent = time.monotonic(), 0
    while True:
        now, due = datetime.now(UTC), int((time.monotonic() - started) * options.rate)
        for number in range(sent, due):
            latitude, longitude = at[number % len(at)]
            driver = drivers[number % vehicles]
            value = encode_fields(driver, now, latitude, longitude, chance.randrange(6_000) / 100, None)
            producer.produce(VEHICLE_POSITIONS.name, value, driver)
        sent = due
        producer.poll(0)
        time.sleep(TICK_SECONDS)


if __name__ == "__main__":
    main()
