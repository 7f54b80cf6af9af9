"""What every store does: the tests that each of them inherits.

A store is told from another by the fixtures of `given`.
"""

from tests.state.bound_steps import BoundSteps
from tests.state.mark_steps import MarkSteps
from tests.state.place_steps import PlaceSteps
from tests.state.record_steps import RecordSteps
from tests.state.room_steps import RoomSteps
from tests.state.window_steps import WindowSteps


class Conformance(WindowSteps, BoundSteps, RoomSteps, MarkSteps, PlaceSteps, RecordSteps):
    """The steps, one after the other."""
