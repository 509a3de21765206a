"""The stream on a Spark standalone cluster: the windows of a plain count, also when one of its two workers dies."""

import os
import signal
from datetime import timedelta

import h3
import pytest

from benchmarks._events import START, messages, positions
from benchmarks._oracle import differences, expected, stored
from smartcity.lake import Dataset
from smartcity.services import kafka
from smartcity.store.engine import create_all, create_engine
from smartcity.store.reader import progress
from tests.integration.cluster import address, spark_master, spark_worker
from tests.integration.processes import broker, wait_for
from tests.integration.streams import log_of, own_settings, produce, started
from tests.streaming.profiles import even_profile

pytestmark = pytest.mark.integration


def test_two_workers_and_then_one_give_the_windows_of_a_plain_count(tmp_path, service_settings, broker_jars):
    folder = tmp_path / "cluster"
    with (
        spark_master(service_settings, folder / "master.log") as master,
        spark_worker(service_settings, folder / "first", address([master])) as first,
        spark_worker(service_settings, folder / "second", address([master])) as second,
    ):
        settings = own_settings(tmp_path / "home", service_settings.jars, spark_master=address([master]))
        dataset, engine = Dataset.of(settings), create_engine(settings)
        dataset.create(dataset.city)
        cell = h3.latlng_to_cell(40.72, -73.99, dataset.city.h3_resolution)
        even_profile(dataset.city, (cell,), START - timedelta(days=1)).save(dataset)
        create_all(engine)
        events = positions(30_000, dataset.city)
        sent, log = messages(events), log_of(settings, "streaming.stream")

        def read():
            found = progress(engine)
            return min(found.get(query, {}).get("total_read", 0) for query in ("windows", "rejected"))

        with broker(settings):
            kafka.create_topics(settings)
            with started(settings, "streaming.stream") as process:
                produce(settings, sent[:15_000])
                wait_for(lambda: read() == 15_000, process, log)
                assert first.had_work and second.had_work
                first.kill()
                produce(settings, sent[15_000:])
                wait_for(lambda: read() == len(sent), process, log)
                os.killpg(process.pid, signal.SIGTERM)
                assert process.wait(60) == 0
    assert not differences(stored(engine), expected(events, dataset.city))
    figures = progress(engine)["windows"]
    assert tuple(figures[name] for name in ("total_good", "total_rejected", "total_late")) == (len(sent), 0, 0)
