"""The upstream of the load harness, alone or with a relay in front of it."""

from collections.abc import Iterator

import pytest

from bench.load.gateway import Gateway
from bench.load.stage import Stage

SECONDS = 0.2


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """An upstream that does what it is asked, and one relay with it for whoever wants one."""
    with Stage(SECONDS) as one:
        yield one


@pytest.fixture(scope="session")
def cutting() -> Iterator[Stage]:
    """An upstream that cuts each stream after its third event."""
    with Stage(SECONDS, 0, "--cut-after", "3") as one:
        yield one


@pytest.fixture
def direct(stage: Stage) -> Gateway:
    """The upstream itself as a gateway: one that adds nothing."""
    return stage.direct
