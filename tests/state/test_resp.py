"""Replies of Redis, whole and in pieces."""

import pytest

from relay.state import resp
from relay.state.resp import Refusal, Unfinished

REPLIES = [
    (b"+PONG\r\n", b"PONG"),
    (b":-7\r\n", -7),
    (b"$4\r\n\r\n\x00$\r\n", b"\r\n\x00$"),
    (b"$0\r\n\r\n", b""),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"*0\r\n", []),
    (b"*3\r\n:1\r\n$-1\r\n*1\r\n$1\r\nx\r\n", [1, None, [b"x"]]),
    (b"-NOSCRIPT No matching script.\r\n", Refusal("NOSCRIPT")),
]


@pytest.mark.parametrize(("sent", "reply"), REPLIES)
def test_a_reply_is_read_to_its_end_and_no_further(sent: bytes, reply: resp.Reply) -> None:
    assert resp.read(sent) == (reply, len(sent))
    assert resp.read(b"+x\r\n" + sent + b"+y\r\n", 4) == (reply, 4 + len(sent))


@pytest.mark.parametrize("sent", [sent for sent, _ in REPLIES])
def test_a_reply_that_has_not_all_come_is_unfinished(sent: bytes) -> None:
    for size in range(len(sent)):
        with pytest.raises(Unfinished):
            resp.read(sent[:size])


@pytest.mark.parametrize("sent", [b"HTTP/1.1 400 Bad Request\r\n", b"\r\n", b"$x\r\n", b":\r\n"])
def test_what_is_no_reply_is_refused(sent: bytes) -> None:
    with pytest.raises(ValueError, match=r"reply|invalid literal"):
        resp.read(sent)


def test_a_command_carries_any_bytes() -> None:
    assert resp.command(b"SET", b"", b"\r\n") == b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$2\r\n\r\n\r\n"
