"""A secret prints nowhere, and is compared in constant time."""

import copy
import dataclasses
import hmac
import json
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from relay.config.loading import load
from relay.config.model import Config
from relay.secret import MASK, Secret

TEXT = "sk-very-secret-\u00e9"


PRINTED: Mapping[str, Callable[[Secret], str]] = {
    "str": str,
    "repr": repr,
    "an f-string": lambda it: f"{it}",
    "an f-string with repr": lambda it: f"{it!r:>60}",
    "format": "{}".format,
    "percent": lambda it: "%s %r" % (it, it),  # noqa: UP031  this form, too
    "a container": lambda it: str([it, {it: it}, (it,)]),
    "json": lambda it: json.dumps({"key": it}, default=str),
    "msgspec": lambda it: msgspec.json.encode({"key": it}, enc_hook=str).decode(),
}
REFUSED: Mapping[str, Callable[[Any], object]] = {
    "json": json.dumps,
    "msgspec": msgspec.json.encode,
    "pickle": pickle.dumps,
    "pickle of the first protocol": lambda it: pickle.dumps([it], protocol=0),
    "a deep copy": lambda it: copy.deepcopy([it]),
    "a copy": copy.copy,
    "a format of its own": lambda it: f"{it:>60}",
    "vars": vars,
    "a sum": lambda it: it + "",
    "a join": lambda it: str.join(",", ["", it]),
    "bytes": bytes,
    "a list": list,
}


@pytest.mark.parametrize("how", PRINTED)
def test_no_way_of_printing_shows_the_text(how: str) -> None:
    printed = PRINTED[how](Secret(TEXT))

    assert "very-secret" not in printed
    assert MASK in printed


@pytest.mark.parametrize("how", REFUSED)
def test_what_would_take_the_text_out_is_refused(how: str) -> None:
    with pytest.raises(TypeError) as raised:
        REFUSED[how](Secret(TEXT))

    assert "very-secret" not in str(raised.value)


def test_a_log_line_shows_none(caplog: pytest.LogCaptureFixture) -> None:
    held = Secret(TEXT)

    logging.getLogger("test").warning("the key %s of %r", held, {"keys": [held]}, extra={"k": held})

    assert "very-secret" not in caplog.text
    assert MASK in caplog.text


def test_an_exception_with_a_secret_in_it_shows_none() -> None:
    error = ValueError("refused", Secret(TEXT))

    assert "very-secret" not in repr(error) + str(error)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(
        "server: {listen: '127.0.0.1:0', auth: {api_key: very-secret-1, bearer_secret: "
        "very-secret-2, allow_bearer: true}}\n"
        "providers:\n"
        "- {name: p, type: anthropic, base_url: 'http://u:very-secret-3@127.0.0.1/b',\n"
        "   proxy: 'http://u:very-secret-4@127.0.0.1', keys: [{key: very-secret-5}]}\n"
    )
    return load(path, {})


def test_a_whole_configuration_prints_without_its_secrets(config: Config) -> None:
    printed = repr(config) + str(config) + f"{config.providers[0]!s}"

    assert config.providers[0].keys[0].key.reveal() == "very-secret-5"
    assert printed.count(MASK) > 5
    assert "very-secret" not in printed


def test_a_configuration_is_not_turned_into_a_dict_of_texts(config: Config) -> None:
    with pytest.raises(TypeError):
        dataclasses.asdict(config)


# Comparison


def test_equal_texts_are_equal_secrets() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != Secret("b")


@pytest.mark.parametrize("other", ["a", b"a", None, MASK])
def test_a_secret_equals_no_text(other: object) -> None:
    assert Secret("a") != other


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        (TEXT, True),
        (TEXT + " ", False),
        (TEXT[:-1], False),
        (TEXT.upper(), False),
        ("", False),
        (MASK, False),
        (TEXT + "\0", False),
    ],
)
def test_only_the_very_text_matches(text: str, *, matches: bool) -> None:
    assert Secret(TEXT).matches(text) is matches


def test_an_empty_secret_is_false_and_matches_nothing() -> None:
    empty = Secret("")

    assert not empty
    assert not empty.matches("")
    assert repr(empty) == "Secret('')"
    assert Secret("x")


def test_bytes_that_are_no_utf_8_are_compared_all_the_same() -> None:
    odd = b"\xff\xfe".decode("utf-8", "surrogateescape")

    assert Secret(odd).matches(odd)
    assert not Secret("x").matches(odd)


def test_texts_are_compared_as_digests_of_one_length_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def compare_digest(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare_digest)

    Secret("short").matches("a much longer text than that")
    assert Secret("a") == Secret("a")

    assert len(compared) == 2
    assert len({length for pair in compared for length in pair}) == 1


def test_a_digest_is_keyed_anew_in_every_process() -> None:
    code = "from relay.secret import Secret; print(hash(Secret('a')))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": "0"},
            timeout=20,
        ).stdout
        for _ in range(2)
    }

    assert len(said) == 2
