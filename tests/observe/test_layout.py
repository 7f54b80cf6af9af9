"""How a record looks as a line."""

import json
import logging
from pathlib import Path

import msgspec
import pytest

from relay.observe.layout import Event, Layout, coloured_line, console_line, json_line
from relay.secret import Secret

# 2026-11-25T03:00:00.0459Z
AT = 1795575600.0459


def an_event(message: str = "m", *, traceback: str = "", **fields: object) -> Event:
    return Event(logging.WARNING, AT, message, fields, traceback)


def test_json_is_one_object_with_the_time_in_milliseconds() -> None:
    assert json.loads(json_line(an_event("key rests", provider="p", n=1))) == {
        "level": "warn",
        "time": "2026-11-25T03:00:00.045Z",
        "message": "key rests",
        "provider": "p",
        "n": 1,
    }


def test_console_is_time_level_message_and_pairs() -> None:
    line = console_line(an_event("went wrong", a="x", b="two words", n=1.5, list=["m"], empty=""))

    time_of_day, rest = line.split(" ", 1)
    assert len(time_of_day) == len("HH:MM:SS")
    assert rest == 'WRN went wrong a=x b="two words" n=1.5 list=["m"] empty=""'


@pytest.mark.parametrize(
    ("level", "word", "letters"),
    [
        (logging.DEBUG, "debug", "DBG"),
        (logging.INFO, "info", "INF"),
        (logging.WARNING, "warn", "WRN"),
        (logging.ERROR, "error", "ERR"),
        (logging.CRITICAL, "error", "ERR"),
        (logging.INFO + 1, "info", "INF"),
    ],
)
def test_every_level_has_its_word(level: int, word: str, letters: str) -> None:
    event = Event(level, AT, "m", {})

    assert json.loads(json_line(event))["level"] == word
    assert f" {letters} m" in console_line(event)


HOSTILE = "m\nERR forged\r\x1b[2J\x9b2J\u2028x\u202ey\x00"


@pytest.mark.parametrize("layout", [json_line, console_line])
def test_nothing_a_client_sends_can_forge_a_line_or_drive_a_terminal(layout: Layout) -> None:
    assert layout(an_event(HOSTILE, model=HOSTILE, list=[HOSTILE])).isprintable()


def test_a_control_character_alone_among_ascii_is_escaped_and_other_scripts_are_not() -> None:
    assert "a\\u007fb" in json_line(an_event("a\x7fb"))
    assert "\\u202e" in json_line(an_event("→\u202e"))
    assert "claude → é😀" in json_line(an_event("claude → é😀"))


class Told(msgspec.Struct, omit_defaults=True):
    name: str
    count: int | None = None
    note: str = ""


def test_a_struct_is_laid_out_as_its_fields_without_those_that_have_their_default() -> None:
    event = Event(logging.INFO, AT, "m", Told("x", count=0))

    assert json.loads(json_line(event)) == {
        "level": "info",
        "time": "2026-11-25T03:00:00.045Z",
        "message": "m",
        "name": "x",
        "count": 0,
    }
    assert console_line(event).endswith(" INF m name=x count=0")
    assert json.loads(json_line(Event(logging.INFO, AT, "m", Told("\ud800"))))["name"] == "\ud800"


def test_a_traceback_spans_lines_on_the_console_and_none_in_json() -> None:
    event = an_event(traceback="Traceback:\n  line\x1b[2J")

    assert console_line(event).endswith("WRN m\nTraceback:\n  line\\u001b[2J")
    assert json.loads(json_line(event))["exception"] == event.traceback
    assert json_line(event).isprintable()


def test_colours_are_balanced() -> None:
    line = coloured_line(an_event(a=1))

    assert line.count("\x1b[0m") == line.count("\x1b[") / 2


def test_values_of_every_kind_can_be_laid_out() -> None:
    event = an_event(
        path=Path("/x"),
        secret=Secret("hidden"),
        half="\ud800",
        big=1 << 80,
        nan=float("nan"),
        nested={"a": (1, None)},
    )

    document = json.loads(json_line(event))

    assert document["path"] == "/x"
    assert document["secret"] == "********"
    assert document["half"] == "\ud800"
    assert document["big"] == 1 << 80
    assert document["nested"] == {"a": [1, None]}
    assert "half=" in console_line(event)


def test_a_field_cannot_take_the_place_of_level_time_or_message() -> None:
    event = Event(logging.WARNING, AT, "m", {"level": "mine", "time": 1, "message": "x"})

    document = json.loads(json_line(event))

    assert (document["level"], document["message"]) == ("warn", "m")
    assert document["field_level"] == "mine"
