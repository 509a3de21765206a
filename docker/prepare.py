"""Makes a fresh deployment ready: Kafka's topics, and, where there are no trips yet, a generated city in the inbox.

Run once before the other services; running it again changes nothing.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from smartcity import inbox
from smartcity.lake import Dataset
from smartcity.services.kafka import create_topics
from smartcity.settings import Settings

#: Enough for a first model, small enough for the first run to end within minutes.
DAYS, TRIPS_PER_DAY = 7, 30_000


def generate(settings: Settings) -> Path:
    """Trip files of a generated city, in the inbox of the nightly run. Returns: the inbox."""
    made = settings.home / "generated"
    size = ("--days", str(DAYS), "--trips-per-day", str(TRIPS_PER_DAY))
    command = (sys.executable, "-m", "smartcity", "generate", *size, "--no-probes", "--force", "--out", str(made))
    subprocess.run(command, check=True)
    target = inbox.folder(settings, settings.dataset)
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted((made / "trips").iterdir()):
        # Under another ending until complete: a run that starts meanwhile must not take half a file.
        part = target / f"{file.name}.part"
        shutil.copyfile(file, part)
        part.replace(target / file.name)
    return target


def main() -> None:
    """Create what is missing and say what was done."""
    settings = Settings()
    (settings.home / "tmp").mkdir(parents=True, exist_ok=True)
    print(f"topics: {', '.join(create_topics(settings)) or 'all there'}")
    if Dataset.of(settings).trips.dates() or inbox.new_files(settings, settings.dataset):
        print(f"data set {settings.dataset!r} has trips")
    else:
        print(f"generated a city into {generate(settings)}; trigger traffic_nightly in Airflow")


if __name__ == "__main__":
    main()
