"""A proxy is used where the configuration says so, and nowhere else."""

from base64 import b64encode
from collections.abc import Callable

import gevent
import pytest
from gevent import socket

from relay.errors import UpstreamUnreachable
from relay.secret import Secret
from relay.upstream.client import Client
from relay.upstream.proxy import Proxies, Proxy
from relay.upstream.target import Origin
from tests.upstream.conftest import whole
from tests.upstream.scripted import CA_FILE, Peer, Server, a_request, repeats

Start = Callable[..., Server]

NOBODY = "http://127.0.0.1:1"
BASIC = f"Basic {b64encode(b'user:pa:ss').decode()}"


def tunnelling(peer: Peer) -> None:
    """Answer CONNECT, then copy bytes both ways."""
    connect = peer.request()
    assert connect is not None
    host, _, port = connect.line.split(" ")[1].rpartition(":")
    peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    with socket.create_connection((host, int(port))) as onward:
        back = gevent.spawn(copy, onward, peer.sock)
        copy(peer.sock, onward)
        back.kill()


def copy(source: socket.socket, sink: socket.socket) -> None:
    while data := source.recv(1 << 16):
        sink.sendall(data)


def through(proxy: str | Secret, url: str) -> tuple[int, bytes]:
    client = Client(proxy=proxy, ca_file=CA_FILE)
    try:
        return whole(client, a_request(url, headers={"x-a": "b"}))
    finally:
        client.close()


def test_https_goes_through_a_tunnel_with_the_credential_for_the_proxy_alone(
    server: Start,
) -> None:
    upstream, proxy = server(repeats(), certificate="good"), server(tunnelling)
    url = Secret(proxy.url().replace("http://", "http://user:pa%3Ass@"))

    assert through(url, upstream.url("/path")) == (200, b"ok")

    (connect,) = proxy.requests
    assert connect.line == f"CONNECT 127.0.0.1:{upstream.port} HTTP/1.1"
    assert connect.headers == [
        ("Host", f"127.0.0.1:{upstream.port}"),
        ("Proxy-Authorization", BASIC),
    ]
    (received,) = upstream.requests
    assert received.line == "POST /path HTTP/1.1"
    assert "Proxy-Authorization" not in dict(received.headers)


def test_http_goes_to_the_proxy_in_absolute_form(server: Start) -> None:
    proxy = server(repeats())
    url = proxy.url().replace("http://", "http://user:pa%3Ass@")

    assert through(url, "http://upstream.example/path?a=b") == (200, b"ok")

    (received,) = proxy.requests
    assert received.line == "POST http://upstream.example/path?a=b HTTP/1.1"
    assert received.headers == [
        ("Host", "upstream.example"),
        ("x-a", "b"),
        ("Proxy-Authorization", BASIC),
        ("Content-Length", "2"),
    ]


def test_connection_through_a_proxy_is_reused(server: Start) -> None:
    upstream, proxy = server(repeats(), certificate="good"), server(tunnelling)
    client = Client(proxy=proxy.url(), ca_file=CA_FILE)

    for _ in range(2):
        whole(client, a_request(upstream.url()))
    client.close()

    assert (len(proxy.requests), len(upstream.requests)) == (1, 2)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "refused to connect to .*: 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno!", "refused to connect.*: 502"),
        (b"SOCKS", "did not speak HTTP"),
        (b"", "closed the connection to"),
    ],
)
def test_proxy_that_refuses_is_named_and_nothing_was_sent(
    server: Start, answer: bytes, reason: str
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer)

    proxy = server(script)
    url = proxy.url().replace("http://", "http://user:pass@")

    with pytest.raises(
        UpstreamUnreachable, match=f"proxy 127.0.0.1:{proxy.port} {reason}"
    ) as error:
        through(url, "https://upstream.example/")

    assert not error.value.sent
    assert "pass" not in str(error.value)


def test_proxy_that_is_not_there_is_named() -> None:
    with pytest.raises(UpstreamUnreachable, match=r"proxy 127\.0\.0\.1:1: connection refused"):
        through(NOBODY, "https://upstream.example/")


@pytest.mark.parametrize("url", ["http://", "socks5://a:1", "https://a:1", "http://user:pass@", ""])
def test_setting_that_is_no_proxy_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="a proxy must be") as error:
        Proxy.of(url)

    assert "pass" not in str(error.value)


def test_without_the_setting_the_environment_counts_for_nothing(
    server: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, NOBODY)

    assert through("", server(repeats()).url()) == (200, b"ok")


def test_env_takes_the_proxy_of_the_scheme_but_for_the_hosts_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pass@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example,127.0.0.1")
    proxies = Proxies("env")

    proxy = proxies.of(Origin("https", "outside.example", 443))

    assert proxy is not None
    assert str(proxy) == "proxy proxy.example:3128"
    assert "pass" not in repr(proxy)
    assert proxies.of(Origin("https", "inside.example", 443)) is None
    assert proxies.of(Origin("https", "127.0.0.1", 8443)) is None
    assert proxies.of(Origin("http", "outside.example", 80)) is None


def test_env_with_a_proxy_that_cannot_be_used_fails_the_request_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:pass@proxy.example")

    with pytest.raises(UpstreamUnreachable, match="HTTPS_PROXY of the environment") as error:
        Proxies("env").of(Origin("https", "outside.example", 443))

    assert "pass" not in str(error.value)
