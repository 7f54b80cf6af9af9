"""What the tests of orders share: candidates to try, and how an order is written."""

from collections.abc import Iterable
from random import Random

from hypothesis import strategies as st

from relay.routing.candidate import Candidate

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        name=st.text(min_size=1, max_size=3),
        priority=st.integers(0, 2),
        weight=st.integers(1, 9),
    ),
    max_size=5,
    unique_by=lambda candidate: candidate.name,
)
"""None to five, with names of their own."""

TURNS = st.integers(0, 10**12)


def named(order: Iterable[Candidate]) -> str:
    """An order as its one-letter names: `ABC`."""
    return "".join(candidate.name for candidate in order)


def is_permutation(order: list[Candidate], candidates: list[Candidate]) -> bool:
    """Whether everybody is in the order once."""
    return len(order) == len(candidates) and set(order) == set(candidates)


def chance(seed: int) -> Random:
    """Chance that is the same in every run."""
    return Random(seed)  # noqa: S311  lots for tests
