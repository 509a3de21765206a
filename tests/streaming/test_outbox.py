import base64
import json

from streaming.outbox import rejected_message


def row(payload, size=None):
    return {
        "reject_reason": "not_json",
        "topic": "vehicle_positions",
        "partition": 1,
        "offset": 17,
        "payload": payload,
        "payload_bytes": len(payload or b"") if size is None else size,
    }


def test_text_is_told_as_text_with_its_place_and_reason():
    told = json.loads(rejected_message(row("größe".encode())))
    assert (told["payload"], told["payload_encoding"], told["payload_is_cut"]) == ("größe", "utf-8", False)
    assert (told["reason"], told["partition"], told["offset"]) == ("not_json", 1, 17)


def test_other_bytes_are_told_in_base_64():
    told = json.loads(rejected_message(row(b"\xff\x00")))
    assert (base64.b64decode(told["payload"]), told["payload_encoding"]) == (b"\xff\x00", "base64")


def test_a_long_value_is_cut_and_says_so():
    told = json.loads(rejected_message(row(b"x" * 1024, size=1_000_000)))
    assert (told["payload_is_cut"], told["payload_bytes"]) == (True, 1_000_000)


def test_a_missing_value_is_an_empty_one():
    assert json.loads(rejected_message({**row(None), "payload_bytes": None}))["payload"] == ""
