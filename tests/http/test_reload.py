"""A changed file is in force in every worker within a second (A.14: 104 to 106, 27; 13.1)."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import streams
from tests.scripted.client import STREAM_MSG, Connection
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

IN_FORCE_S = 1.0
SLACK_S = 0.3
"""What a busy machine may add to the second."""


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    return start_relay(config(provider("p", plain_upstream, "k1")))


@pytest.fixture(scope="module")
def other(start_upstream: Callable[[], Upstream]) -> Upstream:
    return start_upstream()


def _loads(relay: Relay, since: int, level: str = "info") -> list[dict[str, Any]]:
    """The records of configurations loaded (or refused) after so many bytes of log."""
    word = {"info": "config loaded", "warn": "config loaded", "error": "config"}[level]
    return [
        record
        for record in relay.records(since)
        if word in record["message"] and record["level"] == level
    ]


def _listed(connection: Connection) -> list[str]:
    return [entry["id"] for entry in connection.ask("GET", "/v1/models").json()["data"]]


def _models(upstream: Upstream, *models: str) -> dict[str, Any]:
    return config(provider("p", upstream, "k1", models=list(models)))


def _in_force_after(relay: Relay, model: str, written_at: float) -> None:
    relay.wait_for_model(model)
    assert time.monotonic() - written_at < IN_FORCE_S + SLACK_S


def test_every_worker_has_it_within_a_second(relay: Relay, plain_upstream: Upstream) -> None:
    for number in range(3):
        relay.write(_models(plain_upstream, f"claude-{number}"))
        _in_force_after(relay, f"claude-{number}", time.monotonic())


def test_an_edit_in_place_is_seen(relay: Relay, plain_upstream: Upstream) -> None:
    relay.reload(_models(plain_upstream, "claude-before"))
    mark = _listed(relay.connect())[-1]
    text = relay.path.read_text()
    relay.path.write_text(text.replace(mark, mark.replace("generation", "in-place")))
    _in_force_after(relay, mark.replace("generation", "in-place"), time.monotonic())


def test_a_swapped_symlink_is_seen(
    start_relay: StartRelay, plain_upstream: Upstream, tmp_path: Path
) -> None:
    relay = start_relay(_models(plain_upstream, "claude-one"))
    second = tmp_path / "second.yaml"
    text = relay.path.read_text().replace("claude-one", "claude-two")
    second.write_text(text)
    link = relay.folder / "link"
    link.symlink_to(second)
    link.replace(relay.path)
    _in_force_after(relay, "claude-two", time.monotonic())
    third = tmp_path / "third.yaml"
    third.write_text(text.replace("claude-two", "claude-three"))
    link.symlink_to(third)
    link.replace(relay.path)
    _in_force_after(relay, "claude-three", time.monotonic())


def test_a_new_provider_gets_traffic_with_its_key_and_a_removed_one_none(
    relay: Relay, plain_upstream: Upstream, other: Upstream
) -> None:
    first = provider("p", plain_upstream, "k1", priority=1)
    second = provider("q", other, "k2", priority=2)
    relay.reload(config(first, {**second, "enabled": False}))
    assert relay.post().status == 200
    assert other.accepted == 0
    relay.reload(config(first, second))
    assert relay.post().status == 200
    assert other.only().header("x-api-key") == "k2"
    relay.reload(config(first))
    plain_upstream.forget()
    other.forget()
    for worker in relay.workers:
        assert relay.connect(worker).ask("POST", "/v1/messages", b"{}").status == 200
    assert len(plain_upstream.requests) == 2
    assert other.requests == []


@pytest.mark.parametrize(
    "text",
    [
        "server: {listen: [",
        "",
        "just words",
        "server: {listen: '127.0.0.1:1'}\nproviders: []\n",
        "server: {listen: '127.0.0.1:1'}\nproviders: [{name: a, type: nope}]\n",
    ],
    ids=["yaml", "empty", "no mapping", "no provider", "unknown type"],
)
def test_a_bad_file_changes_nothing_and_is_told_once(
    relay: Relay, plain_upstream: Upstream, text: str
) -> None:
    relay.reload(_models(plain_upstream, "claude-good"))
    listed = _listed(relay.connect())
    since = len(relay.output())
    relay.write_text(text)
    until("it is refused", lambda: _loads(relay, since, "error"))
    assert relay.post().status == 200
    for worker in relay.workers:
        assert _listed(relay.connect(worker)) == listed
    relay.reload(_models(plain_upstream, "claude-better"))
    assert len(_loads(relay, since, "error")) == 1  # for all workers
    assert "claude-better" in _listed(relay.connect())


def test_a_file_that_is_away_for_a_while_changes_nothing(
    relay: Relay, plain_upstream: Upstream
) -> None:
    relay.reload(_models(plain_upstream, "claude-there"))
    since = len(relay.output())
    relay.path.unlink()
    until("it is missed", lambda: _loads(relay, since, "error"))
    assert relay.post().status == 200
    relay.reload(_models(plain_upstream, "claude-back"))


def test_other_files_of_the_folder_and_quick_writes_are_no_reloads_of_their_own(
    relay: Relay, plain_upstream: Upstream
) -> None:
    relay.reload(_models(plain_upstream, "claude-start"))
    since = len(relay.output())
    (relay.folder / "other.yaml").write_text("server: {}\n")
    for number in range(5):
        relay.write(_models(plain_upstream, f"claude-quick-{number}"))
    relay.wait_for_model("claude-quick-4")
    relay.path.write_text(relay.path.read_text())  # the same content once more
    (relay.folder / "config.yaml.swp").write_text("x")
    # What would be a reload too many is seen before the next one, which comes after it.
    relay.write(_models(plain_upstream, "claude-last"))
    relay.wait_for_model("claude-last")
    until("the last load is logged", lambda: len(_loads(relay, since)) >= 2)
    assert len(_loads(relay, since)) == 2


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    hold = threading.Event()
    yield hold
    hold.set()


def test_a_stream_in_progress_ends_on_the_configuration_it_began_with(
    relay: Relay, plain_upstream: Upstream, other: Upstream, hold: threading.Event
) -> None:
    begun = messages.beginning()
    relay.reload(config(provider("p", plain_upstream, "k1"), server={"stream_failure": "event"}))
    plain_upstream.says(streams(*begun, hold, *messages.text_stream()[len(begun) :]))
    plain_upstream.says(streams(*begun, hold, ends="close"))
    whole, broken = relay.post(STREAM_MSG), relay.post(STREAM_MSG)
    for answer in (whole, broken):
        answer.take(len(b"".join(begun)))
    relay.reload(config(provider("q", other, "k2"), server={"stream_failure": "cut"}))
    assert relay.post().status == 200
    assert other.only().header("x-api-key") == "k2"
    hold.set()
    assert whole.content == b"".join(messages.text_stream())
    assert broken.is_cut()
    assert messages.names(broken.so_far)[-1] == "error"
    assert len(plain_upstream.requests) == 2


def test_a_plain_call_in_progress_survives_the_removal_of_its_provider(
    relay: Relay, plain_upstream: Upstream, other: Upstream, hold: threading.Event
) -> None:
    relay.reload(config(provider("p", plain_upstream, "k1")))
    plain_upstream.says(streams(before=(hold,)))
    calling = relay.connect()
    calling.begin("POST", "/v1/messages", STREAM_MSG)
    plain_upstream.wait_for(1)
    relay.reload(config(provider("q", other, "k2")))
    hold.set()
    assert calling.response().content == b"".join(messages.text_stream())


def test_what_needs_a_restart_is_named_and_the_rest_applied(
    relay: Relay, plain_upstream: Upstream
) -> None:
    relay.reload(_models(plain_upstream, "claude-unmoved"))  # every worker has begun
    since = len(relay.output())
    settings = _models(plain_upstream, "claude-moved")
    settings["server"] = {"listen": "127.0.0.1:1", "workers": 3}
    relay.write(settings)
    relay.wait_for_model("claude-moved")
    until("it is told", lambda: _loads(relay, since, "warn"))
    told = " ".join(str(record) for record in _loads(relay, since, "warn"))
    assert "server.listen" in told
    assert "server.workers" in told
    assert len(relay.workers) == 2
