"""A few fields are read from what may be anything."""

import msgspec
import pytest

from relay.messages.lenient import decoded, without_surrogates


class Named(msgspec.Struct):
    """Whatever has a name."""

    name: str = ""


NAMED = msgspec.json.Decoder(Named)


def test_a_field_is_read_and_others_are_passed_over() -> None:
    assert decoded(NAMED, b'{"other": [1, {}], "name": "n"}') == Named("n")


def test_half_a_character_anywhere_hinders_nothing() -> None:
    assert decoded(NAMED, rb'{"other": "\ud83d", "name": "n"}') == Named("n")
    assert decoded(NAMED, rb'{"name": "n\ud83d"}') == Named("nA")


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'{"name": 5}', b'{"name": "\\ud83d', b'{"name": "\xff"}', b"[" * 100_000],
)
def test_what_is_malformed_or_of_another_shape_is_none(raw: bytes) -> None:
    assert decoded(NAMED, raw) is None


def test_surrogates_are_replaced_in_their_length() -> None:
    raw = rb'"\uD83D\ude00 \u00e4 \ud7ff"'

    assert without_surrogates(raw) == rb'"\u0041\u0041 \u00e4 \ud7ff"'
