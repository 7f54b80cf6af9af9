"""Whom we trust, what a refusal says, and that a handshake is shortened the second time."""

import select
import time
from collections.abc import Callable, Iterator

import gevent
import pytest

from relay.clock import SystemClock
from relay.errors import UpstreamUnreachable
from relay.upstream.client import Client
from relay.upstream.connect import Connector
from relay.upstream.proxy import Proxies
from relay.upstream.target import Origin
from relay.upstream.tls import Tls
from relay.wire import Timeouts
from tests.upstream.conftest import whole
from tests.upstream.scripted import CA_FILE, OK, Peer, Server, a_request, repeats, says

Start = Callable[..., Server]


@pytest.fixture
def trusting() -> Iterator[Client]:
    """A client that trusts the made-up authority and nobody else."""
    made = Client(ca_file=CA_FILE)
    yield made
    made.close()


def test_trusted_certificate_is_accepted_for_address_and_name(
    server: Start, trusting: Client
) -> None:
    upstream = server(repeats(), certificate="good")
    by_name = upstream.url("/a").replace("127.0.0.1", "localhost")

    assert whole(trusting, a_request(upstream.url("/a"))) == (200, b"ok")
    assert whole(trusting, a_request(by_name)) == (200, b"ok")


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        ("expired", "certificate not accepted: certificate has expired"),
        ("wrong-name", "certificate not accepted: .*mismatch"),
        ("self-signed", "certificate not accepted: self-signed certificate"),
    ],
)
def test_certificate_that_is_not_accepted_is_named_and_nothing_is_sent(
    server: Start, trusting: Client, certificate: str, reason: str
) -> None:
    upstream = server(repeats(), certificate=certificate)

    with pytest.raises(UpstreamUnreachable, match=f"127.0.0.1:{upstream.port}: {reason}") as error:
        trusting.begin(a_request(upstream.url("/?secret")))

    assert not error.value.sent
    assert "secret" not in str(error.value)
    assert upstream.connections == 1
    assert upstream.requests == []


def test_name_mismatch_is_told_by_name(server: Start, trusting: Client) -> None:
    upstream = server(repeats(), certificate="wrong-name")

    with pytest.raises(UpstreamUnreachable, match=r"hostname mismatch.*'localhost'"):
        trusting.begin(a_request(upstream.url().replace("127.0.0.1", "localhost")))


def test_authority_of_a_ca_file_is_trusted_only_where_it_is_configured(
    server: Start, client: Client
) -> None:
    upstream = server(repeats(), certificate="good")

    with pytest.raises(UpstreamUnreachable, match="unable to get local issuer certificate"):
        client.begin(a_request(upstream.url()))


def test_unreadable_ca_file_is_refused_when_the_client_is_made() -> None:
    with pytest.raises(FileNotFoundError):
        Client(ca_file="no such file.pem")


def test_plain_http_on_the_other_side_is_told(server: Start, trusting: Client) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(1 << 16)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    upstream = server(script)

    with pytest.raises(UpstreamUnreachable, match="TLS failed: wrong version number"):
        trusting.begin(a_request(upstream.url().replace("http:", "https:")))


def test_close_instead_of_a_handshake_is_told(server: Start, trusting: Client) -> None:
    upstream = server(lambda peer: peer.sock.recv(1 << 16) and None)

    with pytest.raises(UpstreamUnreachable, match="TLS failed: connection closed"):
        trusting.begin(a_request(upstream.url().replace("http:", "https:")))


def test_silent_handshake_counts_as_connecting(server: Start, trusting: Client) -> None:
    upstream = server(lambda peer: peer.wait_for_end())
    limits = Timeouts(connect_s=0.1, first_byte_s=5, idle_s=5)
    began = time.monotonic()

    with pytest.raises(UpstreamUnreachable, match=r"no connection within 0\.1 s"):
        trusting.begin(a_request(upstream.url().replace("http:", "https:"), timeouts=limits))

    assert time.monotonic() - began < 1


def test_http_1_is_negotiated(server: Start, trusting: Client) -> None:
    chosen = []

    def script(peer: Peer) -> None:
        chosen.append(getattr(peer.sock, "selected_alpn_protocol")())  # noqa: B009  not in its type
        peer.request()
        peer.send(OK)

    whole(trusting, a_request(server(script, certificate="good").url()))

    assert chosen == ["http/1.1"]


def test_second_connection_resumes_the_session_of_the_first(
    server: Start, trusting: Client
) -> None:
    upstream = server(says(OK), certificate="good")

    whole(trusting, a_request(upstream.url()))
    whole(trusting, a_request(upstream.url()))

    assert upstream.resumed == [False, True]


def test_encrypted_connection_is_reused_in_spite_of_session_tickets(
    server: Start, trusting: Client
) -> None:
    upstream = server(repeats(), certificate="good")

    for _ in range(3):
        whole(trusting, a_request(upstream.url()))

    assert upstream.connections == 1
    assert len(upstream.requests) == 3


@pytest.mark.parametrize("size", [(16 << 10) - 200, 16 << 10, 5 << 20])
def test_body_of_any_size_arrives_whole(server: Start, trusting: Client, size: int) -> None:
    upstream = server(repeats(), certificate="good")
    body = bytes(range(256)) * (size // 256)

    whole(trusting, a_request(upstream.url(), body=body))

    assert upstream.requests[0].body == body


def test_early_answer_is_received_while_sending(server: Start, trusting: Client) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(100)
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig", pause_s=0.3)

    upstream = server(script, certificate="good")

    assert whole(trusting, a_request(upstream.url(), body=b"x" * (32 << 20))) == (413, b"big")


def test_large_response_arrives_whole(server: Start, trusting: Client) -> None:
    body = bytes(range(256)) * 20_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    upstream = server(repeats(answer + body), certificate="good")

    assert whole(trusting, a_request(upstream.url())) == (200, body)


def test_looking_without_waiting_finds_nothing_and_then_the_body(
    server: Start, trusting: Client
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK[:-2], pause_s=0.05)
        peer.send(OK[-2:])

    call = trusting.begin(a_request(server(script, certificate="good").url()))
    response = call.head()

    assert response is not None
    assert response.read1(0) is None
    assert response.read1(0.01) is None
    assert response.read1() == b"ok"
    call.close()


def test_session_tickets_on_an_idle_connection_are_no_garbage(server: Start) -> None:
    upstream = server(repeats(), certificate="good")
    connector = Connector(proxies=Proxies(""), tls=Tls(CA_FILE), clock=SystemClock())
    connection = connector.connect(Origin("https", "127.0.0.1", upstream.port), 5)
    gevent.sleep(0.05)  # a server of TLS 1.3 sends them behind its handshake
    arrived, _, _ = select.select([connection.fileno()], [], [], 0)

    assert arrived, "there was to be something to read"
    assert connection.is_quiet()
    assert not select.select([connection.fileno()], [], [], 0)[0]
    connection.close()
