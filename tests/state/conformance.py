"""What every store does: the tests that each of them inherits.

A store is told from another by the fixtures of `given`.
"""

from tests.state.place_steps import PlaceSteps
from tests.state.record_steps import RecordSteps
from tests.state.window_steps import WindowSteps


class Conformance(WindowSteps, PlaceSteps, RecordSteps):
    """The steps, one after the other."""
