"""Places, as one process reads what others have written."""

import pytest

from relay.state.places import Places

NOW = 1_700_000_000.25


def test_a_record_says_all() -> None:
    places = Places(None, NOW)
    for ttl_s in (10.0, 20.0):
        places.hold(2, NOW, ttl_s)

    again = Places(places.record(), NOW)

    assert (again.held, again.last_end()) == (2, NOW + 20)
    assert again.record() == places.record()


@pytest.mark.parametrize("length", [0, 1, 7, 9, 16, 23, 25])
def test_a_record_of_a_wrong_length_is_none(length: int) -> None:
    places = Places(b"\x7f" * length, NOW)

    assert places.held == 0
    assert places.hold(1, NOW, 10.0) == str(int(NOW * 1e6))
