"""A process that takes slots: `holder.py PATH LIMIT COUNT`.

Prints how many it got, then holds them until its stdin ends.
"""

import sys
from pathlib import Path

from relay.limits.slots import Slots

slots = Slots(Path(sys.argv[1]))
taken = [slots.take(int(sys.argv[2])) for _ in range(int(sys.argv[3]))]
print(sum(slot is not None for slot in taken), flush=True)  # noqa: T201  what the test reads
sys.stdin.read()
