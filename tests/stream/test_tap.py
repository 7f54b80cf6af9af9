"""A tap that fails is its own loss."""

import logging

import pytest

from relay.stream.tap import GuardedTap


class FailsOn:
    """Fails on one chunk, and remembers what it was shown."""

    def __init__(self, bad: bytes) -> None:
        self.bad = bad
        self.seen: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self.seen.append(chunk)
        if chunk == self.bad:
            raise ValueError("cannot read this")


def test_a_tap_that_raises_is_dropped_and_logged_once_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tap = FailsOn(b"bad")
    guarded = GuardedTap(tap)

    with caplog.at_level(logging.ERROR, "relay"):
        for chunk in (b"good", b"bad", b"bad", b"good"):
            guarded.feed(chunk)

    assert tap.seen == [b"good", b"bad"]
    assert guarded.dropped
    [record] = caplog.records
    assert record.getMessage() == "tap dropped"
    assert record.exc_info is not None


def test_a_tap_that_works_sees_everything() -> None:
    tap = FailsOn(b"bad")
    guarded = GuardedTap(tap)

    guarded.feed(b"a")
    guarded.feed(b"b")

    assert tap.seen == [b"a", b"b"]
    assert not guarded.dropped
