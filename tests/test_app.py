"""The application: made from one file, and made anew when the file changes (behaviour 13.1)."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relay import create_app
from relay.config.loading import ConfigRefused
from tests.scripted import messages
from tests.scripted.answers import says_error, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until
from tests.web.conftest import StartApp, _upstream, a, start_app
from tests.web.driving import NOTHING, end, environ

__all__ = ["_upstream", "a", "start_app"]

ROOT = Path(__file__).parents[1]


@pytest.fixture
def said() -> Iterator[list[tuple[str, str, dict[str, Any]]]]:
    """Level, message and fields of what the relay logs."""
    lines: list[tuple[str, str, dict[str, Any]]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            fields = record.__dict__.get("fields", {})
            lines.append((record.levelname, record.getMessage(), fields))

    handler = Kept()
    logging.getLogger("relay").addHandler(handler)
    yield lines
    logging.getLogger("relay").removeHandler(handler)


Said = list[tuple[str, str, dict[str, Any]]]


def test_a_changed_file_is_in_force_for_the_next_request(
    start_app: StartApp, a: Upstream, said: Said
) -> None:
    app = start_app(config(provider("p", a, "k1")))
    app.ask()

    app.write(config(provider("p", a, "k2"), server={"auth": {"api_key": "s"}}))
    app.reloading.reload()

    assert app.ask().status == 401
    assert app.ask(headers={"x-api-key": "s"}).status == 200
    assert [request.header("x-api-key") for request in a.requests] == ["k1", "k2"]
    ((level, message, fields),) = [line for line in said if line[1] == "config loaded"]
    assert (level, message) == ("INFO", "config loaded")
    assert fields["path"] == str(app.path)
    assert fields["needs_restart"] is None


BAD = {
    "broken": "server: {",
    "empty": "",
    "no provider": json.dumps({"server": {"listen": "127.0.0.1:0"}, "providers": []}),
    "unknown key": json.dumps(
        {"server": {"listen": "127.0.0.1:0"}, "nonsense": 1, "providers": [{"name": "p"}]}
    ),
    "open to the world": json.dumps(
        {"server": {"listen": "0.0.0.0:1"}, "providers": [{"name": "p", "type": "anthropic"}]}
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_changes_nothing_and_says_why(
    start_app: StartApp, a: Upstream, said: Said, what: str
) -> None:
    app = start_app(config(provider("p", a, "k1")))
    runtime = app.relay.runtime

    app.write(BAD[what])
    app.reloading.reload()

    assert app.relay.runtime is runtime
    assert app.ask().status == 200
    refused = [line for line in said if line[1].startswith("config refused")]
    assert [level for level, _, _ in refused] == ["ERROR"]
    assert refused[0][2]["faults"]
    assert "config loaded" not in [message for _, message, _ in said]


def test_a_missing_file_changes_nothing_and_a_later_good_one_counts(
    start_app: StartApp, a: Upstream
) -> None:
    app = start_app(config(provider("p", a, "k1")))
    app.path.unlink()
    app.reloading.reload()
    assert app.ask().status == 200

    app.write(config(provider("p", a, "k2")))
    app.reloading.reload()

    app.ask()
    assert [request.header("x-api-key") for request in a.requests] == ["k1", "k2"]


def test_what_needs_a_restart_is_named_and_the_rest_is_applied(
    start_app: StartApp, a: Upstream, said: Said, tmp_path: Path
) -> None:
    app = start_app(config(provider("p", a, "k1")))

    changed = config(provider("p", a, "k2"), server={"listen": "127.0.0.1:9", "workers": 3})
    app.write(changed | {"state": {"dir": str(tmp_path / "elsewhere")}})
    app.reloading.reload()

    app.ask()
    assert a.only().header("x-api-key") == "k2"
    (fields,) = [fields for _, message, fields in said if message == "config loaded"]
    assert fields["needs_restart"] == ["server.listen", "server.workers", "state"]


def test_a_request_in_progress_finishes_on_the_configuration_it_began_with(
    start_app: StartApp, a: Upstream
) -> None:
    debug = {"routing": {"debug": True}}
    app = start_app(config(provider("old", a, "k1"), **debug))
    a.says(streams(pause_s=0.01))
    answered, body = app.call(environ("POST", "/v1/messages", STREAM_MSG))
    first = next(iter(body))

    app.write(config(provider("new", a, "k2"), **debug))
    app.reloading.reload()

    assert app.ask().header("x-cc-relay-provider") == "new"
    assert first + b"".join(body) == b"".join(messages.text_stream())
    end(body)
    assert answered.header("x-cc-relay-provider") == "old"
    assert app.holds == NOTHING


def test_a_reload_forgets_no_key_that_rests(start_app: StartApp, a: Upstream) -> None:
    app = start_app(config(provider("p", a, "k1")))
    a.says(says_error(429, "rate_limit_error", headers={"Retry-After": "30"}))
    app.ask()

    app.write(config(provider("p", a, "k1"), routing={"debug": True}))
    app.reloading.reload()

    assert app.ask().status == 429
    assert len(a.requests) == 1


def test_the_connections_of_the_old_configuration_are_closed(
    start_app: StartApp, a: Upstream
) -> None:
    until("nothing of former tests is connected", lambda: a.connections == 0)
    app = start_app(config(provider("p", a, "k1")))
    app.ask()
    assert a.connections == 1

    app.write(config(provider("p", a, "k2")))
    app.reloading.reload()

    until("the idle connection is closed", lambda: a.connections == 0)


def test_a_change_of_the_file_is_seen_by_itself(start_app: StartApp, a: Upstream) -> None:
    app = start_app(config(provider("p", a, "k1")))
    runtime = app.relay.runtime

    app.write(config(provider("p", a, "k2")))

    until("a new runtime", lambda: app.relay.runtime is not runtime, 2.0)


def test_secrets_of_a_new_file_are_kept_out_of_the_log(
    start_app: StartApp, a: Upstream, tmp_path: Path
) -> None:
    app = start_app(config(provider("p", a, "k1")))
    app.write(config(provider("p", a, "a-new-secret-key")))
    app.reloading.reload()

    logging.getLogger("relay.test").error("look", extra={"fields": {"a": "x a-new-secret-key y"}})

    written = (tmp_path / "0" / "log").read_text()
    assert '"look"' in written
    assert "a-new-secret-key" not in written


def test_a_bad_file_makes_no_application(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("server: {listen: 127.0.0.1:0, workers: -1}\nproviders: []\nnonsense: 1\n")

    with pytest.raises(ConfigRefused) as raised:
        create_app(path)

    assert len(raised.value.faults) >= 3


def test_no_file_at_all_names_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)})
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigRefused, match="no configuration found"):
        create_app()


def test_warnings_of_the_file_are_told_once(
    start_app: StartApp, a: Upstream, tmp_path: Path
) -> None:
    start_app(config(provider("p", a, "k1"), server={"enable_http2": True}))

    written = (tmp_path / "0" / "log").read_text().splitlines()
    warned = [json.loads(line) for line in written if "config has warnings" in line]
    assert [sum("enable_http2" in text for text in line["warnings"]) for line in warned] == [1]


def test_no_cookie_is_set_and_none_is_read(start_app: StartApp, a: Upstream) -> None:
    app = start_app(config(provider("p", a, "k1")))

    answered = app.ask("GET", "/v1/models", headers={"cookie": "session=x"})

    assert answered.status == 200
    assert answered.header("set-cookie") is None
    assert answered.header("vary") is None


def test_importing_the_package_makes_no_application() -> None:
    code = "import relay, sys; print('flask' in sys.modules, relay.__version__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=30,
    )

    assert done.stdout.split()[0] == "False"
