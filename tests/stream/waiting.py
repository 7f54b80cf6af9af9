"""A greenlet that waits as the relay does."""

import time

import gevent

from relay.errors import ClientLeft
from relay.stream.disconnect import Presence


def waits(presence: Presence, seconds: float = 5) -> "gevent.Greenlet[[], float]":
    """A greenlet that waits as the relay does; its value is how long it could."""

    def wait() -> float:
        began = time.monotonic()
        try:
            with presence.waiting():
                gevent.sleep(seconds)
        except ClientLeft:
            return time.monotonic() - began
        return -1

    return gevent.spawn(wait)
