"""Answer: what the scripted upstream does with one request, as a value.

An answer is a list of steps: bytes are written (one step is one chunk and one `send`), a float is
a pause in seconds, an `Event` holds until it is set. `ends` says how the connection goes on.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any, Literal

from tests.scripted import messages

Step = bytes | float | Event
Framing = Literal[
    "length",
    "chunked",
    "close",
    "raw",  # the steps are all there is on the wire, the head included
]
Ends = Literal[
    "clean",  # as the framing demands
    "close",  # FIN without the proper end
    "reset",  # RST
    "inside_chunk",  # FIN after half of an announced chunk
    "open",  # nothing more, the connection stays
]


@dataclass(frozen=True, slots=True)
class Answer:
    """One scripted answer; a status of 0 is none at all, only `before` and `ends`."""

    status: int
    headers: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    framing: Framing
    before: tuple[float | Event, ...]
    ends: Ends


def says(
    status: int,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    *steps: Step,
    framing: Framing = "length",
    before: tuple[float | Event, ...] = (),
    ends: Ends = "clean",
    pause_s: float = 0.0,
    gzip: bool = False,
) -> Answer:
    """Any answer. `pause_s` comes between two pieces of the body; `gzip` flushes after each."""
    fields = list(headers.items() if isinstance(headers, Mapping) else headers)
    if pause_s:
        steps = tuple(_paused(steps, pause_s))
    if gzip:
        fields.append(("Content-Encoding", "gzip"))
        steps = tuple(_gzipped(steps))
    return Answer(status, tuple(fields), steps, framing, before, ends)


def says_json(
    document: Any,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    before: tuple[float | Event, ...] = (),
) -> Answer:
    """A JSON document with its length."""
    body = json.dumps(document).encode()
    fields = {"Content-Type": "application/json"} | dict(headers or {})
    return says(status, fields, body, before=before)


def says_message(text: str = "hello", *, before: tuple[float | Event, ...] = ()) -> Answer:
    """A plain message."""
    return says_json(messages.message(text), before=before)


def says_error(
    status: int, type: str, text: str = "scripted", headers: Mapping[str, str] | None = None
) -> Answer:
    """An error in the API's shape."""
    return says_json(messages.error(type, text), status, headers)


def streams(
    *steps: Step,
    framing: Framing = "chunked",
    content_type: str = "text/event-stream",
    before: tuple[float | Event, ...] = (),
    ends: Ends = "clean",
    pause_s: float = 0.0,
    gzip: bool = False,
) -> Answer:
    """An event stream; without steps a short whole one."""
    return says(
        200,
        {"Content-Type": content_type},
        *(steps or messages.text_stream()),
        framing=framing,
        before=before,
        ends=ends,
        pause_s=pause_s,
        gzip=gzip,
    )


def says_nothing(ends: Ends, *before: float | Event) -> Answer:
    """No answer: read the request, wait, then close, reset, or keep silent (`open`)."""
    return Answer(0, (), (), "length", before, ends)


def _paused(steps: Iterable[Step], pause_s: float) -> Iterator[Step]:
    for number, step in enumerate(steps):
        if number:
            yield pause_s
        yield step


def _gzipped(steps: Iterable[Step]) -> Iterator[Step]:
    packer = zlib.compressobj(wbits=31)
    for step in steps:
        if isinstance(step, bytes):
            yield packer.compress(step) + packer.flush(zlib.Z_SYNC_FLUSH)
        else:
            yield step
    yield packer.flush()
