"""Addresses: where the relay may listen, and which hosts are never an upstream."""

import pytest

from relay.config.addresses import (
    Listen,
    NotAnAddress,
    base_url_fault,
    is_loopback,
    listen_fault,
    parse_listen,
    proxy_fault,
    without_credentials,
)


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:8787", Listen("127.0.0.1", 8787)),
        (":0", Listen("", 0)),
        ("[::1]:80", Listen("::1", 80)),
        ("localhost:65535", Listen("localhost", 65535)),
    ],
)
def test_an_address_is_taken_apart(text: str, listen: Listen) -> None:
    assert parse_listen(text) == listen


@pytest.mark.parametrize(
    "text",
    [
        "8787",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:99999999999999999999",
        "127.0.0.1:٣",
        "::1:8787",
        "[::1]",
        "[::1]8787",
        "[localhost]:1",
        "[127.0.0.1]:1",
        "local host:1",
        "host\n:1",
        "127.0.0.1:1\n",
        "unix:/run/relay.sock",
        "*:80",
        "",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert listen_fault(text) is not None
    with pytest.raises(NotAnAddress):
        parse_listen(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_loopback_hosts(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.example", "example.com"]
)
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.anthropic.com",
        "https://api.z.ai/api/anthropic/",
        "http://127.0.0.1:9000",
        "http://[::1]:9000/base",
        "http://user:pass%40word@gateway.internal",
        "HTTPS://API.EXAMPLE",
        "",
    ],
)
def test_urls_of_upstreams(url: str) -> None:
    assert base_url_fault(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "api.anthropic.com",
        "ftp://host",
        "https://",
        "https:///path",
        "https://host:port",
        "https://host:70000",
        "https://host:0",
        "https://ho st",
        "https://host/\n",
        "https://host?key=1",
        "https://host/#x",
        "https://host/?",
        "https://[::1",
        "https://169%2e254.169.254",
        "//host",
        "env",
    ],
)
def test_what_is_no_url_of_an_upstream_is_refused(url: str) -> None:
    assert base_url_fault(url) is not None


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.1.1",
        "169.254.169.254.",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata",
    ],
)
def test_link_local_and_metadata_hosts_are_refused_in_every_spelling(host: str) -> None:
    fault = base_url_fault(f"http://user:pw@{host}:80/x")

    assert fault == "link-local and cloud metadata addresses are refused"


@pytest.mark.parametrize("text", ["", "env", "http://proxy:3128", "http://u:p@proxy:3128"])
def test_proxies(text: str) -> None:
    assert proxy_fault(text) is None


@pytest.mark.parametrize("text", ["proxy:3128", "yes", "socks5://proxy:1", "http://"])
def test_what_is_no_proxy_is_refused(text: str) -> None:
    assert proxy_fault(text) is not None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@host/x@y", "https://host/x@y"),
        ("https://u:p/w@host", "https://u:p/w@host"),
        ("https://a@b@host:1", "https://host:1"),
        ("env", "env"),
    ],
)
def test_a_url_is_shown_without_its_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
