"""A log file, and the loggers as they were when the test has ended."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.observe import logs


@pytest.fixture(autouse=True)
def _configuration_stays_in_this_test() -> Iterator[None]:
    logger = logging.getLogger(logs.LOGGER)
    before = (logger.handlers, logger.level, logger.propagate)
    logger.handlers = []
    yield
    for handler in logger.handlers:
        if isinstance(handler, logs.LineHandler):
            handler.close()
    logger.handlers, logger.level, logger.propagate = before
    logger.setLevel(before[1])


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "relay.log"
