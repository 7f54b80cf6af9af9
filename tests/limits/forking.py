"""A process that takes a slot and forks: `forking.py PATH`.

The limit is two and the parent holds one, so child and parent can each get one more. The child
ends before the parent asks.
"""

import os
import sys
from pathlib import Path

from relay.limits.slots import Slots

slots = Slots(Path(sys.argv[1]))
mine = slots.take(2)
child = os.fork()
if child == 0 and mine is not None:
    mine.release()  # not the child's to give
if child:
    os.waitpid(child, 0)
took = [slots.take(2) is not None for _ in range(2)]
print(f"{'parent' if child else 'child'}: {took}", flush=True)  # noqa: T201  what the test reads
