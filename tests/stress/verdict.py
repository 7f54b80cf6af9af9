"""Verdict: what is wrong with the answer a client got, given what each provider had sent for it."""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.scripted import messages
from tests.stress.asking import Asked
from tests.stress.faults import Fault

_ERROR: Final = b"event: error\n"


def wrongs(asked: Asked, sent: Mapping[str, Fault], marks: Mapping[str, str]) -> Iterator[str]:
    """Everything wrong with one answer. `sent`: by provider; `marks`: those of all providers."""
    whole = asked.body + repr(asked.headers).encode()
    found = [name for name, mark in marks.items() if mark.encode() in whole]
    if len(found) > 1:
        yield f"bytes of {' and '.join(found)}"
    if any(name not in sent for name in found):
        yield f"bytes of {found}, who were not asked"
    if asked.status != 200:
        if not asked.is_error:
            yield "neither an answer nor an error"
        return
    fault = sent[found[0]] if found and found[0] in sent else _unmarked(asked, sent)
    if (asked.header("content-type") or "").startswith("text/event-stream"):
        yield from _stream_wrongs(asked, fault)
    else:
        yield from _plain_wrongs(asked, fault)


def _unmarked(asked: Asked, sent: Mapping[str, Fault]) -> Fault | None:
    """Whose answer may have begun so, where no mark has come yet."""
    body = asked.body.replace(messages.PING, b"").partition(_ERROR)[0]
    begun = [each for each in sent.values() if _begins(each.payload, body)]
    return begun[0] if begun else None


def _stream_wrongs(asked: Asked, fault: Fault | None) -> Iterator[str]:
    body = asked.body.replace(messages.PING, b"")
    content, error = _without_error(body, fault)
    if not asked.is_cut and not body.endswith(messages.event("message_stop")):
        last = body[body.rfind(_ERROR) :]
        if not (body and last.startswith(_ERROR) and messages.names(last) == ["error"]):
            yield "a clean end without message_stop"
    if error and not _is_event(error):
        yield f"a damaged error event: {error!r}"
    if content and (fault is None or not _begins(fault.payload, content)):
        yield f"bytes nobody sent: {content!r}"
    if messages.event("message_stop") in body and fault is not None and not fault.is_complete:
        yield from () if fault.payload is None else ["a message_stop nobody sent"]


def _without_error(body: bytes, fault: Fault | None) -> tuple[bytes, bytes]:
    """The body before an error event at its end that is the relay's own, and that event."""
    at = body.rfind(_ERROR)
    if at < 0 or (fault is not None and _begins(fault.payload, body)):
        return body, b""
    return body[:at], body[at:]


def _plain_wrongs(asked: Asked, fault: Fault | None) -> Iterator[str]:
    if fault is None:
        yield "an answer of nobody"
    elif fault.payload is None or (asked.body == fault.payload and fault.is_complete):
        return
    elif not _begins(fault.payload, asked.body):
        yield "bytes nobody sent"
    elif not asked.is_cut:
        yield "half an answer that looks whole"


def _begins(payload: bytes | None, content: bytes) -> bool:
    return payload is None or payload.startswith(content)


def _is_event(data: bytes) -> bool:
    try:
        return messages.names(data) == ["error"]
    except (AssertionError, ValueError):
        return False
