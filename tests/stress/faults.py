"""Faults: an answer of a provider that goes wrong at a random place, as bytes on the wire.

    status line and headers │ size, event, CRLF │ size, event, CRLF │ … │ end
         before, in the head   between events, inside an event    after the end

Every byte of a body bears the provider's mark nearby: each event and each message has it in its
text. `payload` is what a reader that keeps to HTTP can get out of the answer. Some connections are
to be used again: they are closed while nobody uses them, or bring something nobody asked for.
"""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tests.scripted import messages
from tests.scripted.answers import Answer, Ends, Step, says_error, says_nothing

Kind = Literal["none", "reset", "cut", "stall", "status", "error event", "garbage", "excess"]
Place = Literal[
    "before the head", "in the head", "between events", "inside an event", "after the end"
]

KINDS: Final[Sequence[Kind]] = (
    "reset",
    "cut",
    "stall",
    "status",
    "error event",
    "garbage",
    "excess",
)
_INSIDE: Final[Sequence[Place]] = (
    "before the head",
    "in the head",
    "between events",
    "inside an event",
)
PLACES: Final[Sequence[Place]] = (*_INSIDE, "after the end")
_ENDS: Final[dict[Kind, Ends]] = {"reset": "reset", "cut": "close", "stall": "open"}
_STATUSES: Final = {
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_EVENT_ERRORS: Final = ("overloaded_error", "api_error", "timeout_error")
_AFTER_EXCESS: Final[Sequence[Ends]] = ("clean", "close")
_UNASKED: Final = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"UNASKED":0}'
)
_LONGEST_PAUSE_S: Final = 0.02
_SIZE_LINE: Final = re.compile(rb"([0-9a-f]+)\r\n")


@dataclass(frozen=True, slots=True)
class Fault:
    """One answer and what is wrong with it."""

    kind: Kind
    place: Place
    answer: Answer
    payload: bytes | None
    """None: nobody can say, as the head is damaged."""
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class _Body:
    head: bytes
    parts: tuple[bytes, ...]
    """What its reader gets, one event each."""
    is_chunked: bool
    keeps: bool
    """Whether its connection is to be used again."""

    @property
    def whole(self) -> list[bytes]:
        """All of it on the wire, in pieces."""
        return [self.head, *map(self.framed, self.parts), self.end]

    def framed(self, part: bytes) -> bytes:
        """A part as it is sent."""
        return b"%x\r\n%b\r\n" % (len(part), part) if self.is_chunked else part

    @property
    def end(self) -> bytes:
        """What is sent after the last part."""
        return b"0\r\n\r\n" if self.is_chunked else b""

    def read(self, sent: bytes) -> tuple[bytes, bool]:
        """What a reader gets of what was sent after the head, and whether that is all."""
        if not self.is_chunked:
            length = sum(map(len, self.parts))
            return sent[:length], len(sent) >= length
        got = b""
        while (line := _SIZE_LINE.match(sent)) and (size := int(line[1], 16)):
            data = sent[line.end() :]
            got += data[:size]
            if data[size : size + 2] != b"\r\n":
                return got, False
            sent = data[size + 2 :]
        return got, sent == self.end


def draw(chance: random.Random, mark: str, nonce: str, *, stream: bool, rate: float) -> Fault:
    """A sound answer, or with the probability `rate` one with a fault."""
    body = _body(chance, f"{mark}-{nonce}", stream=stream)
    if chance.random() >= rate:
        return _sound(chance, body)
    kind = chance.choice(KINDS)
    if kind == "excess":
        return _excess(chance, body)
    if kind == "status":
        return _status(chance, mark)
    if kind == "error event":
        return _error_event(chance, body, mark, stream=stream)
    return _broken(chance, body, kind, chance.choice(_INSIDE))


def _body(chance: random.Random, text: str, *, stream: bool) -> _Body:
    if stream:
        texts = [f"{text}-{number}" for number in range(chance.randint(1, 8))]
        parts = messages.text_stream(*texts)
        parts[0] = parts[0].replace(b"msg_1", text.encode())
    else:
        whole = json.dumps(messages.message(f"{text}-text", id=text)).encode()
        at = chance.randrange(1, len(whole))
        parts = [whole[:at], whole[at:]]
    is_chunked = stream or chance.random() < 0.5
    length = sum(map(len, parts))
    framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {length}"
    kind = "text/event-stream" if stream else "application/json"
    keeps = chance.random() < 0.5
    after = "" if keeps else "Connection: close\r\n"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{framing}\r\n{after}\r\n"
    return _Body(head.encode(), tuple(parts), is_chunked, keeps)


def _sound(chance: random.Random, body: _Body) -> Fault:
    steps = _paced(chance, body.whole)
    ends: Ends = "close"
    if body.keeps and chance.random() < 0.5:
        ends = "clean"
    elif body.keeps:  # at a moment when it may be chosen for the next request
        steps.append(chance.uniform(0, 2 * _LONGEST_PAUSE_S))
    return Fault("none", "after the end", _raw(steps, ends), b"".join(body.parts), is_complete=True)


def _excess(chance: random.Random, body: _Body) -> Fault:
    """A whole answer, and in the same packet as its end another one, or garbage.

    What comes any later may come after the next request, and is its answer as far as anybody knows.
    """
    *before, last = filter(None, body.whole)
    steps = _paced(chance, [*before, last + chance.choice([_UNASKED, _garbage(chance)])])
    ends = chance.choice(_AFTER_EXCESS)
    payload = b"".join(body.parts)
    return Fault("excess", "after the end", _raw(steps, ends), payload, is_complete=True)


def _status(chance: random.Random, mark: str) -> Fault:
    status = chance.choice(list(_STATUSES))
    fields = {"retry-after-ms": "1"} if status == 429 else None
    answer = says_error(status, _STATUSES[status], f"{mark} says so", fields)
    return Fault("status", "before the head", answer, b"")


def _error_event(chance: random.Random, body: _Body, mark: str, *, stream: bool) -> Fault:
    error = {"type": chance.choice(_EVENT_ERRORS), "message": f"{mark} says so"}
    if not stream:
        answer = says_error(200, error["type"], error["message"])
        return Fault("error event", "between events", answer, b"")
    at = chance.randrange(len(body.parts))
    sent = (*body.parts[:at], messages.event("error", error=error))
    wire = [body.head, *map(body.framed, sent)]
    if chance.random() < 0.5:
        wire.append(body.end)
    answer = _raw(_paced(chance, wire), "close")
    return Fault("error event", "between events", answer, b"".join(sent))


def _broken(chance: random.Random, body: _Body, kind: Kind, place: Place) -> Fault:
    """Reset, cut or stalled there; or garbage, and then the rest or the end."""
    ends: Ends = _ENDS.get(kind, "close")
    if place == "before the head" and kind != "garbage":
        return Fault(kind, place, says_nothing(ends), b"")
    before, rest = _split(chance, body, place)
    if kind == "garbage":
        before.append(_garbage(chance))
        if chance.random() < 0.5:
            before += rest
    answer = _raw(_paced(chance, before), ends)
    if "head" in place:
        return Fault(kind, place, answer, None if kind == "garbage" else b"")
    payload, is_complete = body.read(b"".join(before)[len(body.head) :])
    return Fault(kind, place, answer, payload, is_complete=is_complete)


def _split(chance: random.Random, body: _Body, place: Place) -> tuple[list[bytes], list[bytes]]:
    """The pieces of the whole answer before that place, and after it."""
    pieces = body.whole
    number = 0 if "head" in place else 1 + chance.randrange(len(body.parts))
    piece = pieces[number]
    at = 0
    if place == "in the head":
        at = chance.randrange(1, len(piece) - 1)
    elif place == "inside an event":
        data = body.parts[number - 1]
        at = piece.index(data) + chance.randrange(1, len(data))
    return [*pieces[:number], piece[:at]], [piece[at:], *pieces[number + 1 :]]


def _garbage(chance: random.Random) -> bytes:
    """No beginning of a chunk, of a header or of a status line."""
    return chance.choice([b"\x00", b"\xff", b"?"]) + chance.randbytes(chance.randint(1, 40))


def _raw(steps: Sequence[Step], ends: Ends) -> Answer:
    return Answer(200, (), tuple(steps), "raw", (), ends)


def _paced(chance: random.Random, wire: Sequence[bytes]) -> list[Step]:
    steps: list[Step] = []
    for piece in filter(None, wire):
        if chance.random() < 0.5:
            steps.append(chance.uniform(0, _LONGEST_PAUSE_S))
        steps.append(piece)
    return steps
