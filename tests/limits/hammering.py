"""A process that takes and releases slots as fast as it can: `hammering.py PATH LIMIT TURNS LOG`.

Appends `+` after each take and `-` before each release, so that the sum of any beginning of the
log is at most the number of slots held at that moment.
"""

import os
import sys
import time
from pathlib import Path

from relay.limits.slots import Slots

slots, limit, turns = Slots(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
told = os.open(sys.argv[4], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
deadline = time.monotonic() + 20
while turns and time.monotonic() < deadline:
    slot = slots.take(limit)
    if slot is None:
        time.sleep(0.0002)
        continue
    os.write(told, b"+")
    time.sleep(0.0005)
    os.write(told, b"-")
    slot.release()
    turns -= 1
sys.exit(turns)
