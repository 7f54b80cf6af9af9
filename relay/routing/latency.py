"""The moving average behind `latency_based`: peak EWMA, in a record that a store can keep.

A sample that is worse counts at once and in full: who has become slow is left alone by the next
request already. Better ones are approached with the time constant `_DECAY_S`: after as many
seconds of them, nearly two thirds of the old value are gone, however many there were. So one quick
answer after a stall proves little, and a busy provider does not forget faster than a quiet one.

    record = average, moment of the last sample   (two doubles, seconds of the clock of `now`)

Ten minutes after the last sample the record says nothing any more, and its provider is tried anew.
"""

import math
import struct
from typing import Final

# A minute: longer than a burst of requests of one conversation, in which one slow answer says no
# more than itself; a tenth of the window, so that what is older than that has no weight left.
_DECAY_S: Final = 60.0
_WINDOW_S: Final = 600.0  # behaviour 7.3
_RECORD: Final = struct.Struct("<dd")

LENGTH: Final = _RECORD.size
"""Bytes of a record."""


def updated(record: bytes | None, sample_s: float, now: float) -> bytes:
    """The record with one more sample: seconds until the first content event."""
    average = value(record, now)
    if record is None or average is None or sample_s >= average:
        return _RECORD.pack(sample_s, now)
    _, before = _RECORD.unpack(record)
    now = max(now, before)  # clocks of several machines may disagree by a little
    weight = math.exp((before - now) / _DECAY_S)
    return _RECORD.pack(average * weight + sample_s * (1 - weight), now)


def value(record: bytes | None, now: float) -> float | None:
    """The average in seconds; None without a sample in the last ten minutes, or a sound record."""
    if record is None or len(record) != LENGTH:
        return None
    average, last = _RECORD.unpack(record)
    return None if now - last >= _WINDOW_S else float(average)
