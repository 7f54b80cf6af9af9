"""The head of a request, byte by byte, and what may not stand in it."""

import pytest

from relay.upstream.head import request_head


def test_fields_stand_as_given_between_host_and_content_length() -> None:
    head = request_head("POST", "/a?b", "h:81", {"B-Name": "two", "a-name": "one"}, 5)

    assert head == (
        b"POST /a?b HTTP/1.1\r\nHost: h:81\r\nB-Name: two\r\na-name: one\r\n"
        b"Content-Length: 5\r\n\r\n"
    )


def test_nothing_else_is_added() -> None:
    assert request_head("GET", "/", "h", {}, 0) == b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_method_with_a_body_has_a_length_even_of_zero(method: str) -> None:
    assert b"\r\nContent-Length: 0\r\n" in request_head(method, "/", "h", {}, 0)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "connection"])
def test_framing_fields_of_the_caller_are_left_out(name: str) -> None:
    head = request_head("POST", "/", "h", {name: "chunked", "x": "y"}, 1)

    assert head == b"POST / HTTP/1.1\r\nHost: h\r\nx: y\r\nContent-Length: 1\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\r\n"])
def test_value_that_would_break_the_head_is_refused_by_name(value: str) -> None:
    with pytest.raises(ValueError, match="x-key") as refusal:
        request_head("POST", "/", "h", {"a": "b", "x-key": value}, 0)

    assert value not in str(refusal.value)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "a\0", "\u00e9", "a\n"])
def test_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="token"):
        request_head("POST", "/", "h", {"ok": "1", name: "value"}, 0)


def test_a_break_in_one_field_does_not_hide_behind_a_missing_one_in_another() -> None:
    with pytest.raises(ValueError, match="CR, LF"):
        request_head("POST", "/", "h", {"a": "x\r", "b": "\ny"}, 0)


@pytest.mark.parametrize("method", ["", "GET /", "GE\r\nT"])
def test_method_that_is_no_token_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="method"):
        request_head(method, "/", "h", {}, 0)


def test_latin_1_goes_out_as_it_came_and_anything_else_is_refused() -> None:
    assert b"x: caf\xe9\r\n" in request_head("GET", "/", "h", {"x": "caf\u00e9"}, 0)
    with pytest.raises(ValueError, match="latin-1"):
        request_head("GET", "/", "h", {"x": "\u20ac"}, 0)


def test_the_same_names_with_other_values_are_checked_and_written_anew() -> None:
    first = request_head("POST", "/", "h", {"a": "1", "host": "x", "50%s": "50%s"}, 0)
    with pytest.raises(ValueError, match="CR, LF"):
        request_head("POST", "/", "h", {"a": "1\r", "host": "x", "50%s": ""}, 0)
    last = request_head("POST", "/", "h", {"a": "2", "host": "y", "50%s": "%"}, 0)

    assert b"\r\na: 1\r\n50%s: 50%s\r\n" in first
    assert b"\r\na: 2\r\n50%s: %\r\n" in last
