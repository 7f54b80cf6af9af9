"""Holder: what tells this process from all others that share a store."""

import os
import secrets
from typing import Final


class Holder:
    """A number of 53 bits, which every store and language can hold exactly."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Become another."""
        self.number = secrets.randbits(53)


THIS_PROCESS: Final = Holder()
os.register_at_fork(after_in_child=THIS_PROCESS.draw)
