"""Asking a provider whether it is there again (behaviour 10.3)."""

import pytest

from relay.exchange import probing
from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven
from tests.exchange.routed import NOWHERE
from tests.scripted.answers import Answer, says_error, says_json, says_nothing
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream


@pytest.fixture
def driven(drive: Drive, a: Upstream, closed_port: str) -> Driven:
    url = f"http://user:password@127.0.0.1:{a.port}/base/"
    return drive(
        config(
            provider("A", a, "made-up-key"),
            provider("basic", url, "made-up-key", type="zai"),
            provider("closed", closed_port, "k"),
            provider("off", NOWHERE, "k", enabled=False),
        )
    )


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500, 529])
def test_its_status_is_told(driven: Driven, a: Upstream, status: int) -> None:
    a.says(says_json([]) if status == 200 else says_error(status, "x"))

    assert probing.status(driven.runtime.means, "A") == status


@pytest.mark.parametrize(("name", "path"), [("A", "/v1/models"), ("basic", "/base/v1/models")])
def test_the_models_are_asked_for_without_any_credential(
    driven: Driven, a: Upstream, name: str, path: str
) -> None:
    probing.status(driven.runtime.means, name)

    asked = a.only()
    assert (asked.method, asked.target, asked.body) == ("GET", path, b"")
    for header in ("x-api-key", "authorization", "cookie"):
        assert asked.header(header) is None
    assert "made-up-key" not in asked.text()


@pytest.mark.parametrize("answer", [says_nothing("close"), says_nothing("reset")])
def test_without_an_answer_there_is_no_status(driven: Driven, a: Upstream, answer: Answer) -> None:
    a.says(answer)

    assert probing.status(driven.runtime.means, "A") is None


@pytest.mark.parametrize("name", ["closed", "off", "unknown"])
def test_whoever_is_not_there_has_no_status(driven: Driven, name: str) -> None:
    assert probing.status(driven.runtime.means, name) is None


def test_a_probe_leaves_no_exchange_and_takes_no_key(driven: Driven, a: Upstream) -> None:
    probing.status(driven.runtime.means, "A")

    assert driven.lasting.running.count == driven.lasting.running.attempts.total() == 0
    assert len(a.requests) == 1
