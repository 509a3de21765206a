"""Which days a data set's profile was fitted on, and when there are so many others that it has to be fitted anew.

History and the split between training and test days come with the profile. One that is never fitted anew would leave
all days that come later to the test: no training would ever learn from them.
"""

from collections.abc import Collection
from datetime import date

from smartcity.lake import Dataset

#: In the data set's folder, written after the profile.
FILE = "fitted.json"
#: So many times as many days as are new may it have been fitted on: a fit computes all features anew, and so costs each
#: new day the features of ten others at most.
DAYS_PER_NEW_DAY = 10


def note_fit(dataset: Dataset, days: Collection[date]) -> None:
    """The profile rests on the windows of these days."""
    dataset.put_json(FILE, {"days": [day.isoformat() for day in sorted(days)]})


def is_due(dataset: Dataset, days: Collection[date], at_least: int) -> bool:
    """Whether enough of ``days`` are new to the profile: ``at_least`` (0: never), and a tenth of what it rests on.

    Not where it is unknown what it rests on, or where there is none.
    """
    found = dataset.get_json(FILE)
    if not found or not at_least:
        return False
    known = set(found["days"])
    new = sum(day.isoformat() not in known for day in days)
    return new >= max(at_least, len(known) // DAYS_PER_NEW_DAY)
