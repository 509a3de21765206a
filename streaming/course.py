"""How the tape runs: which time is sent for a moment of the tape, how fast, and whether it stands still.

Tape time is recorded time moved by whole days (``schedule``); it never goes back but for a seek. What is sent never
goes back at all: the stream's watermark would throw such events away.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Course:
    """Times sent are ``sent_us`` + (tape time - ``tape_us``) / ``stretch``.

    ``speed``: as asked for. ``stretch`` is 1 where times are sent as recorded: speed is then a matter of the pace
    alone. Moved to now, the times sent run with the clock, so the tape itself runs ``speed`` times as fast.
    ``wish`` and ``seek``: numbers of the last wish and seek that were carried out. ``started``: the speed that the
    replay was started with.
    """

    speed: float
    started: float = 1.0
    paused: bool = False
    tape_us: int = 0
    sent_us: int = 0
    stretch: float = 1.0
    wish: int = 0
    seek: int = 0

    def sent(self, tape_us: int) -> int:
        """The time that is sent for a moment of the tape."""
        return int(self.sent_all(np.array([tape_us], np.int64))[0])

    def sent_all(self, tape_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """As ``sent``; the same for the same moment whatever stands beside it, so that a repeat is recognised."""
        after = tape_us - self.tape_us
        if self.stretch != 1.0:
            after = np.floor(after / self.stretch).astype(np.int64)
        return after + self.sent_us

    def tape(self, sent_us: int) -> int:
        """The moment of the tape that is due when the clock of what is sent shows ``sent_us``."""
        return self.tape_us + int((sent_us - self.sent_us) * self.stretch)
