"""The digest of a file, and counter-based random numbers."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity import hashing


def test_mixes_as_splitmix64_does():
    # First outputs of the reference generator for seed 1234567.
    key = np.array([1234567], dtype=np.uint64)
    assert [int(hashing.bits(key, n)[0]) for n in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=20))
def test_key_of_a_string_depends_on_the_string_alone(strings):
    keys = hashing.string_keys(pa.array(strings, pa.string()))
    for string, key in zip(strings, keys, strict=True):
        assert hashing.string_keys(pa.array([string], pa.string()))[0] == key
    distinct = {string or "" for string in strings}
    assert len(set(keys.tolist())) == len(distinct)


def test_a_slice_has_the_keys_of_its_strings():
    strings = pa.array(["a", "longer than one word", "", "z" * 8, "é"])
    assert hashing.string_keys(strings.slice(1, 3)).tolist() == hashing.string_keys(strings)[1:4].tolist()


def test_uniform_and_normal_have_their_moments():
    keys = hashing.subkeys(7, 200_000)
    uniform, normal = hashing.uniform(keys, 0), hashing.normal(keys, 1)
    assert (uniform.min() >= 0) and (uniform.max() < 1)
    assert uniform.mean() == pytest.approx(0.5, abs=0.005)
    assert (normal.mean(), normal.std()) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.01))
    assert np.corrcoef(normal, hashing.normal(keys, 2))[0, 1] == pytest.approx(0, abs=0.01)


def test_the_digest_of_a_file_is_that_of_its_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-4's own example.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hashing.file_sha256(tmp_path / "a") == expected
