"""``trip_id``: a hash of what makes a published row that trip, the same from CSV, gzip and Parquet.

Times, places, distance, vendor, passengers and amounts are hashed as values, not as text, so ``18.0`` and ``18`` are
one. 96 bits: among a billion trips two share an id with a chance of 1 in 10¹¹.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.tripfiles.layout import FIELDS, Kind

Words = npt.NDArray[np.uint64]

_NULL = np.uint64(0x9E3779B97F4A7C15)
_SEEDS = (np.uint64(0x243F6A8885A308D3), np.uint64(0x13198A2E03707344))
_HEX = np.array([f"{value:02x}".encode() for value in range(256)], dtype="S2")


def trip_hashes(columns: Mapping[str, pa.Array], count: int) -> tuple[Words, Words]:
    """Two independent 64-bit hashes per row; ``columns`` by canonical name, absent ones count as null."""
    lanes = [np.full(count, seed, dtype=np.uint64) for seed in _SEEDS]
    for field in FIELDS:
        if field.identity:
            words = _words(columns[field.name], field.kind) if field.name in columns else np.full(count, _NULL)
            lanes = [_mix(lane ^ words) for lane in lanes]
    return lanes[0], lanes[1]


def trip_ids(hashes: tuple[Words, Words]) -> pa.Array:
    """24 hex digits per row."""
    count = len(hashes[0])
    raw = np.empty((count, 12), dtype=np.uint8)
    raw[:, :8] = hashes[0].astype(">u8").view(np.uint8).reshape(count, 8)
    raw[:, 8:] = hashes[1].astype(">u8").view(np.uint8).reshape(count, 8)[:, :4]
    data = np.ascontiguousarray(_HEX[raw])
    offsets = np.arange(count + 1, dtype=np.int32) * 24
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))


def draw(hashes: Words, salt: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) per row, fixed by its hash; another ``salt`` gives an independent one."""
    mixed = _mix(hashes ^ _mix(np.full(len(hashes), salt, dtype=np.uint64)))
    return np.asarray((mixed >> np.uint64(11)) * (1.0 / (1 << 53)), dtype=np.float64)


def _mix(words: Words) -> Words:
    """The finaliser of splitmix64: every input bit changes every output bit with probability ½."""
    mixed = words + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _words(column: pa.Array, kind: Kind) -> Words:
    null = column.is_null().to_numpy(zero_copy_only=False)
    if kind is Kind.TEXT:
        words = _text_words(column)
    elif kind is Kind.TIME:
        words = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64)
    else:
        # -0.0 and 0.0 are one value with two bit patterns.
        words = (column.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0).view(np.uint64)
    return np.where(null, _NULL, words)


def _text_words(column: pa.Array) -> Words:
    coded = pc.dictionary_encode(column.fill_null(""))
    # A vendor is 1 in a CSV and 1.0 in a Parquet file whose column had gaps.
    names = [name.strip().removesuffix(".0") for name in coded.dictionary.to_pylist()]
    table = np.array(
        [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") for name in names],
        dtype=np.uint64,
    )
    return table[coded.indices.to_numpy(zero_copy_only=False)] if len(names) else np.zeros(0, dtype=np.uint64)
