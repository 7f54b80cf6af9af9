"""What never gets into a log."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.observe.redact import Redactor
from relay.secret import Secret

NAMES = [
    "api_key",
    "x_api_key",
    "key",
    "authorization",
    "proxy_authorization",
    "bearer",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "auth_token",
    "secret",
    "client_secret",
    "aws_secret_access_key",
    "password",
    "passwd",
    "private_key",
    "cookie",
    "set_cookie",
    "user_id",
    "device_id",
]

WHOLE = 1 << 20


def shown(document: Any, max_bytes: int = WHOLE) -> str:
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    return Redactor().body(text.encode(), max_bytes)


@pytest.mark.parametrize("name", NAMES)
def test_the_value_of_a_telling_field_is_replaced_however_the_name_is_written(name: str) -> None:
    for spelling in (name, name.upper(), name.replace("_", "-"), name.replace("_", "")):
        assert json.loads(shown({"a": 1, spelling: "SECRETVALUE", "b": "x"})) == {
            "a": 1,
            spelling: "[redacted]",
            "b": "x",
        }


@pytest.mark.parametrize("name", ["keys", "monkey", "max_tokens", "user", "secretary", "input"])
def test_other_fields_are_left_as_they_are(name: str) -> None:
    text = json.dumps({name: "value", "n": [1, {"text": "hi"}]})

    assert shown(text) == text


@pytest.mark.parametrize(
    "value",
    ["S3C", 'S3C"S3C', "S3C\\", 'S3C\\"S3C', 31337, True, None, ["S3C"], {"a": {"b": ["S3C}"]}}],
)
def test_a_value_of_any_kind_is_replaced_and_the_rest_stays(value: Any) -> None:
    out = shown({"key": value, "after": {"text": "stays"}})

    assert json.loads(out) == {"key": "[redacted]", "after": {"text": "stays"}}


def test_json_inside_strings_is_looked_into_at_every_depth() -> None:
    inner = {"api_key": 'S3C"RET', "text": "stays"}
    document: Any = inner
    for _ in range(3):
        document = {"content": json.dumps(document), "after": "stays, too"}

    out = shown(document)

    assert "S3C" not in out
    assert json.loads(json.loads(json.loads(json.loads(out)["content"])["content"])["content"]) == {
        "api_key": "[redacted]",
        "text": "stays",
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"api_key":"S3C',
        '{"api_key":"S3C\\',
        '{"api_key":{"a":"S3C"',
        '{"api_key" : \n "S3C"',
        '{"api\\u005fkey":"S3C"}',
        'x "key":S3C',
        '{"a":"{\\"key\\":\\n \\"S3C',
        '"key":["S3C", "S3C',
    ],
)
def test_broken_and_truncated_json_gives_nothing_away(text: str) -> None:
    assert "S3C" not in shown(text)


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer [redacted]"),
        ("BEARER  abc", "BEARER [redacted]"),
        ("bEaReR abc", "bEaReR [redacted]"),
        ("sent sk-ant-api03-x_Y-9 to", "sent [redacted] to"),
        ("(ccr_AbC-123)", "([redacted])"),
        ("AKIAIOSFODNN7EXAMPLE!", "[redacted]!"),
        ("ASIAIOSFODNN7EXAMPLE", "[redacted]"),
        ("jwt eyJhbGciOi.eyJzdWIi.c2ln end", "jwt [redacted] end"),
        ("http://user:pa:ss@host/p?q=a@b", "http://[redacted]@host/p?q=a@b"),
        ("to https://host:8080/p", "to https://host:8080/p"),
        (
            "a -----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY----- b",
            "a [redacted] b",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIB", "[redacted]"),
        (
            "task-list, risk-free, me@host.example, 1:2",
            "task-list, risk-free, me@host.example, 1:2",
        ),
    ],
)
def test_what_looks_like_a_credential_is_replaced_in_any_text(text: str, out: str) -> None:
    assert Redactor().text(text) == out
    assert Redactor().is_concerned(text) or out == text


@pytest.mark.parametrize(
    "secret",
    ["plain-secret", 'with "quotes" and \\', "clé-sécrète-€", "a/b+c=d&e f", "line\nbreak"],
)
def test_a_configured_secret_is_found_in_every_spelling(secret: str) -> None:
    redactor = Redactor([Secret(secret)])
    spellings = [
        secret,
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        secret.encode().decode("latin-1"),
    ]

    for spelling in spellings:
        bare = spelling.strip('"')
        assert redactor.is_concerned(f"x{spelling}y")
        assert redactor.is_concerned_again(f"x{spelling}y")
        assert bare not in redactor.text(f"x{spelling}y")
        assert "[redacted]" in redactor.text(f"x{spelling}y")


def test_the_credentials_of_a_configured_url_are_found_apart_from_it() -> None:
    redactor = Redactor([Secret("https://user:pass%20word1@host/path")])

    assert redactor.text("password pass word1") == "password [redacted]"
    assert redactor.text("Basic dXNlcjpwYXNzIHdvcmQx") == "Basic [redacted]"


def test_a_short_secret_is_replaced_only_where_it_stands_alone() -> None:
    redactor = Redactor([Secret("s"), Secret("")])

    assert redactor.text("s is a secret: s, not this") == (
        "[redacted] is a secret: [redacted], not this"
    )


def test_a_secret_that_contains_another_goes_whole() -> None:
    redactor = Redactor([Secret("secret-one"), Secret("secret-one-two")])

    assert redactor.text("a secret-one-two b") == "a [redacted] b"


def test_field_values_are_redacted_through_and_through() -> None:
    value = {"list": ["sk-abc", 1, None, True], "secret": Secret("x"), "error": ValueError("sk-x")}

    assert Redactor().value(value) == {
        "list": ["[redacted]", 1, None, True],
        "secret": "********",
        "error": "[redacted]",
    }


@given(st.integers(min_value=0, max_value=80))
def test_wherever_the_cut_falls_no_part_of_a_secret_shows(max_bytes: int) -> None:
    out = shown('{"text":"hé€","api_key":"SECRETVALUE","more":"sk-SECRETVALUE"}', max_bytes)

    assert len(out.encode()) <= max_bytes
    assert "SECRET" not in out
    assert not any(out.endswith(part) for part in ("S", "SE", "SEC"))


def test_the_cut_falls_between_two_characters() -> None:
    assert shown("aé€", 2) == "a"
    assert shown("aé€", 3) == "aé"
    assert shown("aé€", 5) == "aé"


def test_a_long_body_is_cut_to_its_limit() -> None:
    assert len(shown("x" * 5000, 1000)) == 1000


def test_a_secret_behind_much_redacted_text_does_not_slip_through_the_window() -> None:
    body = '{"key":"' + "x" * 200_000 + '","text":"after sk-SECRETVALUE"}'

    assert shown(body, 100) == '{"key":"[redacted]","text":"after [redacted]"}'


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert Redactor().body(b'\xff{"key":"S3C"}', 100) == '�{"key":"[redacted]"}'


@pytest.mark.parametrize(
    "hostile",
    ["\\" * 300_000, '"' * 300_000, 'eyJ-"key":[' * 30_000, '"a\\' * 100_000, "://" * 99_999],
)
def test_hostile_text_takes_no_longer_than_its_length(hostile: str) -> None:
    began = time.process_time()

    Redactor().body(hostile.encode(), len(hostile))

    assert time.process_time() - began < 3


@given(st.text(alphabet='ab"\\:{}[], key', max_size=60))
def test_redaction_survives_any_text(text: str) -> None:
    out = shown(text)

    assert shown(out) == out
