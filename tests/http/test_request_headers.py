"""Which of the client's headers reach the upstream, and what is added (A.2: 13 to 18, G4, G21)."""

import gzip

import pytest

from tests.scripted import messages
from tests.scripted.answers import says, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

_TRANSPORT = {"host", "content-length", "connection", "accept-encoding", "content-type"}
_BETAS = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "per-turn-control-2026-07-01,mid-conversation-tool-changes-2026-07-01,"
    "thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,effort-2025-11-24,"
    "x-made-up-2099-01-01"
)


@pytest.mark.parametrize("credential", [{}, {"x-api-key": "their-own"}])
def test_version_and_beta_go_on(
    plain: Relay, plain_upstream: Upstream, credential: dict[str, str]
) -> None:
    sent = {"anthropic-version": "2026-10-21", "anthropic-beta": "x"}
    plain.post(headers=sent | credential)
    request = plain_upstream.only()
    assert request.header("anthropic-version") == "2026-10-21"
    assert request.header("anthropic-beta") == "x"


def test_a_missing_version_is_added(plain: Relay, plain_upstream: Upstream) -> None:
    plain.post()
    assert plain_upstream.only().header("anthropic-version") == "2023-06-01"


def test_betas_go_on_word_for_word_in_one_line(plain: Relay, plain_upstream: Upstream) -> None:
    plain.post(headers={"anthropic-beta": _BETAS, "anthropic-made-up": "1"})
    assert plain_upstream.only().header("anthropic-beta") == _BETAS
    assert plain_upstream.only().header("anthropic-made-up") == "1"


def test_betas_of_two_lines_arrive_in_order(plain: Relay, plain_upstream: Upstream) -> None:
    first, second = _BETAS.split(",", 3)[:3], _BETAS.split(",", 3)[3]
    plain.post(headers=[("anthropic-beta", ",".join(first)), ("anthropic-beta", second)])
    assert plain_upstream.only().header("anthropic-beta") == _BETAS  # joined by a comma, in order


def test_what_nobody_knows_goes_on(plain: Relay, plain_upstream: Upstream) -> None:
    sent = {
        "User-Agent": "claude-cli/2.1.330 (external, cli)",
        "X-Stainless-Retry-Count": "0",
        "X-Claude-Code-Session-Id": "s",
        "x-claude-code-agent-id": "a",
        "x-app": "cli",
        "Accept": "application/json",
        "anthropic-dangerous-direct-browser-access": "true",
        "My-Own": 'a, b;c="d"',
        "Accept-Language": "*",
    }
    plain.post(headers=sent)
    request = plain_upstream.only()
    assert {name: request.header(name) for name in sent} == sent


def test_nothing_of_a_library_is_added(plain: Relay, plain_upstream: Upstream) -> None:
    plain.post()
    names = {name.lower() for name, _ in plain_upstream.only().headers}
    assert names - _TRANSPORT == {"x-api-key", "anthropic-version"}
    assert plain_upstream.only().header("accept-encoding") == "identity"


@pytest.mark.parametrize("sent", ["text/plain", "application/json; charset=utf-8", None])
def test_a_message_is_sent_as_json(
    plain: Relay, plain_upstream: Upstream, sent: str | None
) -> None:
    if sent is None:
        connection = plain.connect()
        connection.send(
            b"POST /v1/messages HTTP/1.1\r\nHost: r\r\nContent-Length: %d\r\n\r\n" % len(MSG) + MSG
        )
        assert connection.response().status == 200
    else:
        plain.post(headers={"Content-Type": sent})
    assert plain_upstream.only().header("content-type") == "application/json"


def test_hop_by_hop_headers_stay_behind(plain: Relay, plain_upstream: Upstream) -> None:
    plain.post(
        headers={
            "Connection": "keep-alive, X-Foo",
            "X-Foo": "1",
            "TE": "trailers",
            "Proxy-Authorization": "Basic x",
            "Proxy-Connection": "keep-alive",
            "Keep-Alive": "timeout=5",
            "Upgrade": "h2c",
            "HTTP2-Settings": "x",
            "Trailer": "x",
        }
    )
    names = {name.lower() for name, _ in plain_upstream.only().headers}
    assert names - _TRANSPORT == {"x-api-key", "anthropic-version"}
    assert "x-foo" not in (plain_upstream.only().header("connection") or "").lower()


def test_nobody_chooses_a_key_or_forges_our_headers(plain: Relay, plain_upstream: Upstream) -> None:
    plain.post(headers={"X-Selected-Key": "evil", "X-CC-Relay-Provider": "evil"})
    assert "evil" not in plain_upstream.only().text()
    assert plain_upstream.only().header("x-api-key") == "k1"


def test_nobody_upstream_learns_who_the_user_is(plain: Relay, plain_upstream: Upstream) -> None:
    told = [
        *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Anything"),
        *("Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Via"),
        "Cookie",
    ]
    plain.post(headers=[(name, "1.2.3.4") for name in told])
    names = {name.lower() for name, _ in plain_upstream.only().headers}
    assert names - _TRANSPORT == {"x-api-key", "anthropic-version"}


def test_a_header_with_a_control_character_is_refused(
    plain: Relay, plain_upstream: Upstream
) -> None:
    answer = plain.post(headers={"X-A": "a\0b"})
    assert answer.status == 400
    assert answer.error()[0] == "invalid_request_error"
    assert plain_upstream.accepted == 0


def test_a_compressed_answer_passes_whole_and_labelled(
    plain: Relay, plain_upstream: Upstream
) -> None:
    packed = gzip.compress(b'{"type":"message","content":[]}')
    fields = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    plain_upstream.says(says(200, fields, packed))
    answer = plain.post(headers={"Accept-Encoding": "gzip, br"})
    assert plain_upstream.only().header("accept-encoding") == "gzip, br"
    assert answer.header("content-encoding") == "gzip"
    assert answer.content == packed


def test_a_compressed_stream_passes_whole_and_labelled(
    plain: Relay, plain_upstream: Upstream
) -> None:
    plain_upstream.says(streams(gzip=True))
    answer = plain.post(STREAM_MSG, {"Accept-Encoding": "gzip"})
    assert answer.header("content-encoding") == "gzip"
    assert gzip.decompress(answer.content) == b"".join(messages.text_stream())


def test_a_client_that_does_not_ask_for_compression_gets_none(
    plain: Relay, plain_upstream: Upstream
) -> None:
    answer = plain.post()
    assert plain_upstream.only().header("accept-encoding") == "identity"
    assert answer.header("content-encoding") is None
    assert answer.json() == messages.message()
