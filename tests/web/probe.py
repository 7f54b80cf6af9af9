"""An application that shows what a server made of a request, and answers in every odd way.

Run by gunicorn in `test_serve`: `probe:application`, with `lean` as its `post_worker_init`.
"""

import io
import json
from collections.abc import Callable, Iterable
from typing import Any

from gunicorn.http import wsgi
from gunicorn.workers.ggevent import GeventWorker

from relay.web import serve

Answer = Callable[[dict[str, Any], Any], Iterable[bytes]]
Start = Callable[..., Callable[[bytes], object]]


def lean(worker: GeventWorker) -> None:
    """Serve as the relay does."""
    worker.handle_request = serve.Server(worker).handle_request


def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Answer as the last part of the path says."""
    name = environ["PATH_INFO"].rpartition("/")[2]
    answer: Answer = _ANSWERS.get(name, _show)
    return answer(environ, start)


def _show(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    shown = {key: repr(value) for key, value in environ.items() if not key.startswith("gunicorn.")}
    for key in ("wsgi.input", "wsgi.early_hints"):
        shown[key] = type(environ[key]).__name__
    shown["wsgi.errors"] = str(isinstance(environ["wsgi.errors"], wsgi.WSGIErrorsWrapper))
    del shown["REMOTE_PORT"], shown["SERVER_PORT"], shown["SERVER_SOFTWARE"]
    shown["body"] = environ["wsgi.input"].read().decode("latin-1")
    text = json.dumps(shown, sort_keys=True, indent=0).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]


def _with(status: str, *headers: tuple[Any, Any], body: Iterable[Any] = (b"abc",)) -> Any:
    def answer(_environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start(status, list(headers))
        return list(body)

    return answer


def _breaks_off(_environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    start("200 OK", [])
    yield b"begun"
    raise ValueError("on purpose")


def _fails(_environ: dict[str, Any], _start: Start) -> Iterable[bytes]:
    raise ValueError("on purpose")


def _file(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", "5")])
    made: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"filed"))
    return made


def _says(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    environ["wsgi.errors"].write("said\n")
    start("200 OK", [("Content-Length", "4")])
    return [b"said"]


def _hints(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]


_PLAIN = ("X-Plain", "1")
_ANSWERS: dict[str, Answer] = {
    "says": _says,
    "chunked": _with("200 OK", _PLAIN, body=[b"", b"one", b"", b"two" * 9]),
    "nothing": _with("200 OK", _PLAIN, body=[]),
    "long": _with("200 OK", body=[b"x" * 70_000, b"y" * 10]),
    "huge": _with("200 OK", body=[b"x" * 70_000, b"y" * 8_000_000]),
    "length": _with("200 OK", ("content-length", " 3 "), body=[b"a", b"bc"]),
    "longer": _with("200 OK", ("Content-Length", "2"), body=[b"abc", b"d"]),
    "zero": _with("200 OK", ("Content-Length", "0"), body=[b"abc"]),
    "shorter": _with("200 OK", ("Content-Length", "9")),
    "none": _with("204 No Content", ("Content-Length", "3")),
    "unmodified": _with("304 Not Modified", ("Content-Length", "3"), ("ETag", '"a"')),
    "odd": _with("529 Unknown", ("X-Odd", " a\tb  "), ("X-Latin", "é"), ("x-empty", "")),
    "hops": _with("200 OK", ("Connection", "close"), ("Keep-Alive", "1"), ("TE", "x"), _PLAIN),
    "upgrade": _with("200 OK", ("Connection", "Upgrade"), ("Upgrade", "websocket")),
    "split": _with("200 OK", ("X-Split", "a\r\nX-Evil: 1")),
    "split name": _with("200 OK", ("X-Split\r\nX-Evil", "1")),
    "blank name": _with("200 OK", ("X Blank", "1")),
    "zero byte": _with("200 OK", ("X-Zero", "a\0b")),
    "wide": _with("200 OK", ("X-Wide", "\u0142")),
    "number": _with("200 OK", ("X-Number", 1)),
    "bytes name": _with("200 OK", (b"X-Bytes", "1")),
    "bad length": _with("200 OK", ("Content-Length", "many")),
    "text": _with("200 OK", body=["text"]),
    "array": _with("200 OK", body=[bytearray(b"array")]),
    "breaks": _breaks_off,
    "fails": _fails,
    "file": _file,
    "hints": _hints,
}
