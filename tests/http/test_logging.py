"""What is logged, and what never is (A.14: 111, 112; behaviour 12)."""

import json
import re
from datetime import datetime

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_message, says_nothing, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

CONFIGURED = {
    "server key": "relay-key-Zq81",
    "bearer secret": "bearer-secret-Zq82",
    "provider key": "provider-key-Zq83",
    "url password": "url-password-Zq84",
}
SECRETS = CONFIGURED | {
    "client key": "client-key-Zq85",
    "client token": "client-token-Zq86",
}


@pytest.fixture(scope="module")
def _relay(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    return start_relay(config(provider("p", plain_upstream, "k1")))


@pytest.fixture
def relay(_relay: Relay) -> Relay:
    _relay.restore()
    return _relay


def test_an_exchange_is_one_record(relay: Relay, plain_upstream: Upstream) -> None:
    plain_upstream.says(streams())
    since = len(relay.output())
    fields = {"X-Request-ID": "log-1", "User-Agent": "x"}
    assert relay.post(STREAM_MSG, fields, "/v1/messages?beta=true").content
    record = relay.record_of("log-1")
    assert record["level"] == "info"
    assert datetime.fromisoformat(record["time"]).tzinfo is not None
    assert (record["method"], record["path"]) == ("POST", "/v1/messages")
    assert (record["status"], record["attempts"]) == (200, 1)
    assert record["provider"] == "p"
    assert (record["model"], record["model_sent"]) == ("claude-x", "claude-x")
    assert record["key"] == "p/0"
    assert (record["input_tokens"], record["output_tokens"]) == (11, 7)
    assert (record["cache_read"], record["cache_write"]) == (5, 3)
    assert 0 <= record["first_byte_ms"] <= record["duration_ms"] < 5000
    ended = [r for r in relay.records(since) if r.get("request_id") == "log-1"]
    assert len(ended) == 1
    assert "hello" not in relay.output()[since:]


def test_usage_is_read_from_compressed_and_plain_answers(
    relay: Relay, plain_upstream: Upstream
) -> None:
    plain_upstream.says(streams(gzip=True), says_message())
    assert relay.post(STREAM_MSG, {"X-Request-ID": "log-2", "Accept-Encoding": "gzip"}).content
    assert relay.post(MSG, {"X-Request-ID": "log-3"}).content
    for name in ("log-2", "log-3"):
        record = relay.record_of(name)
        assert (record["input_tokens"], record["output_tokens"]) == (11, 7), name


@pytest.mark.parametrize(
    ("answer", "status", "level"),
    [
        (says_error(400, "invalid_request_error"), 400, "warn"),
        (says_error(404, "not_found_error"), 404, "warn"),
        (says_error(500, "api_error"), 500, "error"),
        (says_nothing("close"), 502, "error"),
        (streams(*messages.beginning(), 0.3, ends="close"), 200, "error"),
    ],
    ids=["400", "404", "500", "502", "broken"],
)
def test_the_level_tells_how_it_ended(
    relay: Relay, plain_upstream: Upstream, answer: Answer, status: int, level: str
) -> None:
    plain_upstream.says(answer)
    name = f"level-{status}-{level}"
    got = relay.post(STREAM_MSG, {"X-Request-ID": name})
    got.is_cut()
    assert got.status == status
    record = relay.record_of(name)
    assert (record["status"], record["level"]) == (status, level)


def test_what_is_refused_here_is_a_record_too(relay: Relay) -> None:
    assert relay.get("/v1/messages", {"X-Request-ID": "refused-1"}).status == 405
    assert relay.record_of("refused-1")["level"] == "warn"


def test_every_line_is_one_json_object(relay: Relay, plain_upstream: Upstream) -> None:
    since = len(relay.output())
    plain_upstream.says(says_message(), says_error(400, "invalid_request_error"))
    for number in range(2):
        assert relay.post(headers={"X-Request-ID": f"json-{number}"}).content
        relay.record_of(f"json-{number}")
    assert relay.get("/v1/messages", {"X-Request-ID": "json-2\x80"}).status == 405
    assert relay.get("/v1/%0a", {"X-Request-ID": "json-3"}).content
    relay.record_of("json-3")
    lines = relay.output()[since:].splitlines()
    assert len(lines) >= 4
    for line in lines:
        record = json.loads(line)
        assert {"level", "time", "message"} <= set(record)


def test_console_lines(relay: Relay, plain_upstream: Upstream) -> None:
    entry = provider("p", plain_upstream, "k1")
    relay.reload(config(entry, logging={"format": "console"}))
    since = len(relay.output())
    assert relay.post(headers={"X-Request-ID": "console-1"}).content

    def line() -> str:
        said = [text for text in relay.output()[since:].splitlines() if "console-1" in text]
        return "".join(said)

    assert re.fullmatch(
        r"\d\d:\d\d:\d\d INF[O]? exchange ended .*request_id=console-1.*status=200.*",
        until("its line", line),
    )
    relay.reload(config(entry))


BODY = b'{"model":"claude-x","pad":"%s","api_key":"SECRETVALUE-%s","user_id":"u-77","messages":[]}'
DEBUG = {"level": "debug", "debug_options": {"log_request_body": True}}


def test_a_logged_body_is_redacted_before_it_is_cut(relay: Relay, plain_upstream: Upstream) -> None:
    entry = provider("p", plain_upstream, "k1")
    relay.reload(config(entry, logging=DEBUG))
    since = len(relay.output())
    for pad in (0, *range(920, 1010, 3), 5000):
        name = f"body-{pad}"
        body = BODY % (b"x" * pad, b"y" * 40)
        assert relay.post(body, {"X-Request-ID": name}).content
        relay.record_of(name)
    said = relay.output()[since:]
    for part in ("SECRETV", "ETVALUE", "yyyy", "u-77"):
        assert part not in said, part
    assert "[redacted]" in said
    assert "x" * 900 in said
    assert "x" * 1001 not in said  # `max_body_log_size` is 1000


def test_how_much_of_a_body_is_logged_can_be_set(relay: Relay, plain_upstream: Upstream) -> None:
    options = {"log_request_body": True, "max_body_log_size": 60}
    logging = {"level": "debug", "debug_options": options}
    relay.reload(config(provider("p", plain_upstream, "k1"), logging=logging))
    since = len(relay.output())
    body = b'{"model":"claude-x","prompt":"%s"}' % (b"z" * 5000)
    assert relay.post(body, {"X-Request-ID": "sized-1"}).content
    relay.record_of("sized-1")
    said = relay.output()[since:]
    shown = 60 - len(b'{"model":"claude-x","prompt":"')
    assert "z" * shown in said
    assert "z" * (shown + 1) not in said


def test_an_edit_of_the_body_is_told(relay: Relay, plain_upstream: Upstream) -> None:
    relay.reload(config(provider("p", plain_upstream, "k1", model_mapping={"claude-x": "m1"})))
    for name, model in (("edit-1", b"claude-x"), ("edit-2", b"claude-y")):
        assert relay.post(MSG.replace(b"claude-x", model), {"X-Request-ID": name}).content
    assert relay.record_of("edit-1")["mutations"] == ["model: claude-x \u2192 m1"]
    assert "mutations" not in relay.record_of("edit-2")


def test_a_body_is_logged_only_on_demand(relay: Relay, plain_upstream: Upstream) -> None:
    entry = provider("p", plain_upstream, "k1")
    for number, logging in enumerate(({"level": "debug"}, DEBUG | {"level": "info"})):
        relay.reload(config(entry, logging=logging))
        since = len(relay.output())
        body = b'{"model":"claude-x","prompt":"needle-in-the-prompt"}'
        assert relay.post(body, {"X-Request-ID": f"demand-{number}"}).content
        relay.record_of(f"demand-{number}")
        assert "needle-in-the-prompt" not in relay.output()[since:]


def test_no_secret_appears_anywhere(relay: Relay, plain_upstream: Upstream) -> None:
    url = plain_upstream.url.replace("http://", f"http://user:{SECRETS['url password']}@")
    server = {
        "max_body_bytes": 2000,
        "auth": {
            "api_key": SECRETS["server key"],
            "allow_bearer": True,
            "bearer_secret": SECRETS["bearer secret"],
        },
    }
    options = {
        "log_request_body": True,
        "log_response_headers": True,
        "log_tls_metrics": True,
        "max_body_log_size": 100_000,
    }
    ours = {"x-api-key": SECRETS["server key"]}
    settings = config(
        provider("p", url, SECRETS["provider key"], priority=2),
        provider("dead", f"http://user:{SECRETS['url password']}@127.0.0.1:1", priority=1),
        server=server,
        routing={"debug": True},
        logging={"level": "debug", "debug_options": options},
    )
    since = len(relay.output())
    relay.reload(settings, ours)
    said: list[str] = []
    clients = [
        ours,
        {"Authorization": f"Bearer {SECRETS['bearer secret']}"},
        ours | {"Authorization": f"Bearer {SECRETS['client token']}"},
        {"x-api-key": SECRETS["client key"]},
        {"Authorization": f"Basic {SECRETS['client token']}"},
    ]
    echo = json.dumps({"text": list(CONFIGURED.values()), "model": "claude-x"}).encode()
    for answer in (
        says_message(),
        says_error(401, "authentication_error"),
        says_error(503, "overloaded_error"),
        says_nothing("reset"),
        streams(*messages.beginning(), 0.25, ends="reset"),
    ):
        plain_upstream.answers_with(answer)
        for client in clients:
            for target in ("/v1/messages", "/v1/files", "/nope", "/v1/providers"):
                method = "GET" if target == "/v1/providers" else "POST"
                got = relay.ask(method, target, echo, client)
                got.is_cut()
                said.append(f"{got.headers}\n{got.so_far!r}")
    said.append(str(relay.post(b"x" * 2001, ours).content))
    relay.get("/health", {"X-Request-ID": "end-of-secrets"})
    relay.reload(config(provider("p", plain_upstream, "k1")))
    said.append(relay.output()[since:])
    for name, secret in SECRETS.items():
        assert not [text for text in said if secret in text], name
