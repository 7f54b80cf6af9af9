"""Candidates for the tests of this folder."""

import pytest

from relay.routing.candidate import Candidate


@pytest.fixture
def abc() -> list[Candidate]:
    """Three alike: A, B, C."""
    return [Candidate("A"), Candidate("B"), Candidate("C")]
