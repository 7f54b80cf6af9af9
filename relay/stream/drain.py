"""Drain: what a waiting exchange meets when this worker must end before it does."""

from relay.errors import Overloaded


class Draining(Overloaded):
    """The worker is shutting down and waits no longer.

    Before commit the client gets it as the 503 it is; after commit `Body` ends the stream.
    """

    def __init__(self) -> None:
        super().__init__("this relay is shutting down")
