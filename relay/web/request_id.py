"""Name every request, and every response after it (behaviour 4.4).

The outermost layer: it also makes `//v1/messages/` the path `/v1/messages`, so that no route ever
answers with a redirect.
"""

import random
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_ID: Final = "relay.request_id"
"""Environ key of the id, a str."""
NAMES_ITSELF: Final = "relay.names_itself"
"""Environ key: whether the id is the client's own."""

ACCOUNT: Final = "relay.settlement"
"""Environ key of the exchange's account, once it is open; ended here, if nobody else has."""

_ACCEPTED: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SLASHES: Final = re.compile(r"/{2,}")


def uuid4() -> str:
    """A random UUID (RFC 9562 §5.4) as text, at a tenth of what `uuid` takes for it.

    It is no secret, so the generator need not be one for secrets; a fork seeds it anew.
    """
    text = f"{random.getrandbits(128):032x}"
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


class Named:
    """WSGI middleware: sets the two environ keys, adds `X-Request-ID` to whatever comes back."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        names_itself = _ACCEPTED.fullmatch(sent) is not None
        request_id = sent if names_itself else uuid4()
        environ[REQUEST_ID] = request_id
        environ[NAMES_ITSELF] = names_itself
        path = environ.get("PATH_INFO", "")
        if "//" in path or (len(path) > 1 and path.endswith("/")):
            environ["PATH_INFO"] = _SLASHES.sub("/", path).rstrip("/") or "/"

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            return start_response(status, [*headers, ("X-Request-ID", request_id)], exc_info)

        try:
            return self._app(environ, start)
        except BaseException:
            account = environ.get(ACCOUNT)
            if account is not None:  # a function of somebody's pipeline failed
                account.end(500, "api_error")
            raise
