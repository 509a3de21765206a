"""Hashes: the digest of a file, and counter-based random numbers.

Such a number depends on a key and a counter only, never on order, batch or process. The mixer is SplitMix64
(Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
"""

import hashlib
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

UInts = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ALL_BITS = 0xFFFF_FFFF_FFFF_FFFF
_LOW_16 = np.uint64(0xFFFF)
#: Mean and standard deviation of the sum of four uniform 16-bit numbers.
_SUM_MEAN = 2.0 * 65535
_SUM_SD = float(np.sqrt(4 * (65536.0**2 - 1) / 12))


class Readable(Protocol):
    """A path, or what can be opened like one."""

    def open(self, mode: str, /) -> Any:
        """A binary stream."""
        ...


def file_digest(path: Readable, algorithm: str) -> str:
    """Hex digest of a file's content, by the algorithm of that name."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def file_sha256(path: Readable) -> str:
    """Hex digest by which the lake and the registry know a file."""
    return file_digest(path, "sha256")


def mix(values: UInts) -> UInts:
    """SplitMix64's finaliser: a bijection of 64 bits in which every input bit moves every output bit."""
    z = values ^ (values >> np.uint64(30))
    z *= _MIX_1
    z ^= z >> np.uint64(27)
    z *= _MIX_2
    z ^= z >> np.uint64(31)
    return z


def bits(keys: UInts, counter: int) -> UInts:
    """64 random bits per key: the ``counter``-th draw of the stream that the key names."""
    return mix(keys + np.uint64((int(_GOLDEN) * (counter + 1)) & _ALL_BITS))


def uniform(keys: UInts, counter: int) -> Floats:
    """One number in [0, 1) per key."""
    return np.asarray((bits(keys, counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def normal(keys: UInts, counter: int) -> Floats:
    """One number per key, mean 0, variance 1: four 16-bit uniforms summed, hence within ±3.47 and cheap."""
    h = bits(keys, counter)
    total = (h & _LOW_16) + ((h >> np.uint64(16)) & _LOW_16) + ((h >> np.uint64(32)) & _LOW_16) + (h >> np.uint64(48))
    return np.asarray((total.astype(np.float64) - _SUM_MEAN) / _SUM_SD)


def subkeys(key: int, count: int) -> UInts:
    """``count`` keys of their own, numbered 0 …, under one key."""
    start = mix(np.array([key], dtype=np.uint64))
    return mix(start + _GOLDEN * np.arange(1, count + 1, dtype=np.uint64))


def string_keys(strings: pa.Array) -> UInts:
    """A 64-bit key of each string's bytes (null counts as empty); equal strings get equal keys everywhere."""
    if not len(strings):
        return np.zeros(0, dtype=np.uint64)
    large = strings.cast(pa.large_binary()).fill_null(b"")
    offsets = np.frombuffer(large.buffers()[1], dtype=np.int64, count=len(large) + 1 + large.offset)[large.offset :]
    lengths = np.diff(offsets)
    words = -(-lengths // 8)
    width = int(words.max(initial=0)) * 8
    data = large.buffers()[2]
    raw = np.zeros((0 if data is None else len(data)) + width, dtype=np.uint8)
    if data is not None:
        raw[: len(data)] = np.frombuffer(data, dtype=np.uint8)
    keys = mix(lengths.astype(np.uint64) + _GOLDEN)
    steps = np.arange(8)
    for number in range(width // 8):
        rows = np.flatnonzero(words > number)
        octets = raw[(offsets[rows] + number * 8)[:, None] + steps]
        octets[steps + number * 8 >= lengths[rows][:, None]] = 0
        keys[rows] = mix(keys[rows] * _MIX_1 + octets.view("<u8")[:, 0].astype(np.uint64))
    return keys
