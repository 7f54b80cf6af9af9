"""URLs: what is read from them, and which are refused."""

import pytest

from relay.upstream.target import Origin, target_of


@pytest.mark.parametrize(
    ("url", "origin", "authority", "path"),
    [
        ("https://a.example/v1/x?b=c", Origin("https", "a.example", 443), "a.example", "/v1/x?b=c"),
        ("http://a.example", Origin("http", "a.example", 80), "a.example", "/"),
        ("http://a.example:443/", Origin("http", "a.example", 443), "a.example:443", "/"),
        ("https://A.Example:443/P", Origin("https", "a.example", 443), "a.example", "/P"),
        ("http://[::1]:81/a", Origin("http", "::1", 81), "[::1]:81", "/a"),
        ("http://user:pass@a.example/", Origin("http", "a.example", 80), "a.example", "/"),
        ("http://a.example/p#part", Origin("http", "a.example", 80), "a.example", "/p"),
        ("http://a.example/%0d%0a?x=%00", Origin("http", "a.example", 80), "a.example",
         "/%0d%0a?x=%00"),
    ],
)  # fmt: skip
def test_url_is_read(url: str, origin: Origin, authority: str, path: str) -> None:
    target = target_of(url)

    assert (target.origin, target.authority, target.path) == (origin, authority, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example/path",
        "ftp://a.example/",
        "http:///path",
        "http://a.example/a b",
        "http://a.example/a\r\nX: y",
        "http://a.example/a\n",
        "http://a.example/\0",
        "http://a.example/\u00e9",
        "http://a.example:port/",
        "http://a.example:99999/",
    ],
)
def test_url_that_cannot_be_sent_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the message is tested below
        target_of(url)


def test_neither_refusal_nor_repr_repeats_a_query() -> None:
    with pytest.raises(ValueError, match="URL") as refusal:
        target_of("http://a.example/?key=very secret")

    assert "secret" not in str(refusal.value)
    assert "secret" not in repr(target_of("http://a.example/?key=secret"))


def test_absolute_form_leaves_userinfo_out() -> None:
    target = target_of("http://user:pass@a.example:81/p?q=1")

    assert target.absolute == "http://a.example:81/p?q=1"
