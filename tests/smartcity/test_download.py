"""Files of a publisher: each month once, whole and as its checksum says, continued where a try before broke off."""

import base64
import hashlib
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from smartcity import inbox
from smartcity.download import Fetched, at, fetch_new
from smartcity.errors import DownloadError, SettingsError
from smartcity.settings import Settings
from tests.smartcity.publisher import Publisher, publisher

#: Bytes that are the same in each of the processes that run tests.
JANUARY, FEBRUARY = random.Random(1).randbytes(3_000_000), random.Random(2).randbytes(1_000_000)
NAMES = ["yellow_2025-01.parquet", "yellow_2025-02.parquet"]


@pytest.fixture
def site() -> Iterator[Publisher]:
    with publisher() as found:
        found.files = {f"/{name}": content for name, content in zip(NAMES, (JANUARY, FEBRUARY), strict=True)}
        yield found


@pytest.fixture
def settings(site: Publisher, tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, download=f"{site.address}/yellow_{{year}}-{{month}}.parquet")


def fetch(settings: Settings, until: date = date(2025, 4, 9)) -> list[Fetched]:
    return fetch_new(settings, inbox.folder(settings, "city"), until)


def names(settings: Settings) -> list[str]:
    return sorted(path.name for path in inbox.folder(settings, "city").iterdir() if path.is_file())


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_fetches_each_month_that_is_published_and_none_twice(
    settings: Settings, site: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fetch(settings)
    assert [file.sha256 for file in found] == [digest(JANUARY), digest(FEBRUARY)]
    assert names(settings) == NAMES
    said = capsys.readouterr().out
    assert "yellow_2025-01.parquet: 3,000,000 bytes; whole by its length" in said
    assert "yellow_2025-03.parquet is not published yet" in said
    march = "/yellow_2025-03.parquet"
    assert [path for path, _ in site.asked] == [*site.files, march], "no month is asked for after one that is not there"
    inbox.put_away(inbox.new_files(settings, "city"))
    assert fetch(settings) == []
    assert [path for path, _ in site.asked[3:]] == [march]
    site.files[march] = b"PAR1"
    assert [file.path.name for file in fetch(settings)] == ["yellow_2025-03.parquet"]


def test_nothing_after_the_month_of_the_run_is_asked_for(settings: Settings, site: Publisher) -> None:
    fetch(settings, until=date(2025, 1, 31))
    assert [path for path, _ in site.asked] == ["/yellow_2025-01.parquet"]


def test_goes_on_where_it_broke_off(settings: Settings, site: Publisher) -> None:
    site.break_after = 1_200_000
    with pytest.raises(DownloadError, match=r"broke off before 3,000,000 bytes; 1,200,000 bytes are kept"):
        fetch(settings)
    assert inbox.new_files(settings, "city") == [], "a part is no file for the next task"
    with pytest.raises(DownloadError, match="2,400,000 bytes are kept"):
        fetch(settings)
    site.break_after = None
    first, _ = fetch(settings)
    assert (first.sha256, first.resumed_at) == (digest(JANUARY), 2_400_000)
    assert [wanted for path, wanted in site.asked if path == "/yellow_2025-01.parquet"] == [
        None,
        "bytes=1200000-",
        "bytes=2400000-",
    ]
    assert names(settings) == NAMES


def test_a_file_that_the_publisher_has_replaced_meanwhile_is_fetched_from_its_beginning(
    settings: Settings, site: Publisher
) -> None:
    site.break_after = 1_200_000
    with pytest.raises(DownloadError):
        fetch(settings)
    site.break_after, site.files["/yellow_2025-01.parquet"] = None, FEBRUARY * 2
    first, _ = fetch(settings)
    assert (first.sha256, first.resumed_at) == (digest(FEBRUARY * 2), 0)


def test_a_part_of_which_nobody_knows_the_version_is_not_continued(settings: Settings, site: Publisher) -> None:
    site.tagged, site.break_after = False, 1_200_000
    with pytest.raises(DownloadError):
        fetch(settings)
    site.break_after = None
    assert fetch(settings)[0].sha256 == digest(JANUARY)
    assert {wanted for _, wanted in site.asked} == {None}


@pytest.mark.parametrize(
    ("header", "right"),
    [
        ("Repr-Digest", f"sha-256=:{base64.b64encode(hashlib.sha256(JANUARY).digest()).decode()}:"),
        ("x-amz-checksum-sha256", base64.b64encode(hashlib.sha256(JANUARY).digest()).decode()),
        ("Content-MD5", base64.b64encode(hashlib.md5(JANUARY).digest()).decode()),
    ],
)
def test_a_file_is_what_the_server_says_of_it(settings: Settings, site: Publisher, header: str, right: str) -> None:
    site.told = {header: right}
    site.files["/yellow_2025-01.parquet"] = JANUARY[:-1] + bytes([JANUARY[-1] ^ 1])
    january = date(2025, 1, 20)
    with pytest.raises(DownloadError, match=r"and should be .*begins anew"):
        fetch(settings, january)
    assert names(settings) == []
    site.files["/yellow_2025-01.parquet"] = JANUARY
    assert "as published" in fetch(settings, january)[0].checked


def test_a_file_is_what_its_published_checksum_says(settings: Settings, site: Publisher) -> None:
    said = settings.model_copy(update={"download_sha256": f"{settings.download}.sha256"})
    january = date(2025, 1, 20)
    with pytest.raises(DownloadError, match="checksum cannot be had"):
        fetch(said, january)
    site.files["/yellow_2025-01.parquet.sha256"] = b"<html>"
    with pytest.raises(DownloadError, match="holds no SHA-256"):
        fetch(said, january)
    site.files["/yellow_2025-01.parquet.sha256"] = f"{digest(FEBRUARY)}  yellow_2025-01.parquet\n".encode()
    with pytest.raises(DownloadError, match="and should be"):
        fetch(said, january)
    assert inbox.new_files(settings, "city") == []
    site.files["/yellow_2025-01.parquet.sha256"] = f"{digest(JANUARY)}  yellow_2025-01.parquet\n".encode()
    assert fetch(said, january)[0].checked == "its sha256 is as published"


def test_a_whole_part_of_a_killed_run_is_not_mistaken_for_a_longer_file(settings: Settings, site: Publisher) -> None:
    """Killed between the last byte and the new name: there is nothing to go on with, and the next try is as new."""
    site.break_after = 1_200_000
    with pytest.raises(DownloadError):
        fetch(settings)
    site.break_after = None
    part = inbox.folder(settings, "city") / "yellow_2025-01.parquet.part"
    part.write_bytes(JANUARY)
    with pytest.raises(DownloadError, match="begins anew"):
        fetch(settings)
    assert fetch(settings)[0].sha256 == digest(JANUARY)


def test_a_publisher_that_is_down_is_told_with_what_is_kept(settings: Settings, site: Publisher) -> None:
    down = settings.model_copy(update={"download": "http://127.0.0.1:9/{year}-{month}.csv"})
    with pytest.raises(DownloadError, match=r"127.0.0.1:9/2025-01.csv: .*refused.*0 bytes are kept"):
        fetch(down)


@pytest.mark.parametrize("pattern", ["https://host/trips.parquet", "ftp://host/{year}-{month}.csv", "{year}{month}"])
def test_addresses_that_do_not_name_files_by_month_are_refused(pattern: str) -> None:
    with pytest.raises(SettingsError, match="TRAFFIC_DOWNLOAD"):
        at(pattern, date(2025, 1, 1))


def test_an_address_may_hold_percent_signs(settings: Settings) -> None:
    assert at("http://host/a%20b/{year}-{month}.csv", date(2025, 3, 1)) == "http://host/a%20b/2025-03.csv"
