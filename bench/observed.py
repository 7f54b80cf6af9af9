"""The relay's own app with one path in front that tells pid and greenlets of its worker.

Served by the same gunicorn configuration: `gunicorn -k gevent bench.observed:app`. Only a worker
may import this module, for it loads the relay.
"""

import gc
import json
import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from greenlet import greenlet

from bench.vitals import PATH
from wsgi import app


class Observed:
    """A WSGI app that answers `PATH` itself and leaves the rest to the one behind it."""

    def __init__(self, behind: WSGIApplication) -> None:
        self._behind = behind

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Count, or hand on."""
        if environ["PATH_INFO"] != PATH:
            return self._behind(environ, start_response)
        body = json.dumps([os.getpid(), _greenlets()]).encode()
        start_response("200 OK", [("content-length", str(len(body))), ("connection", "close")])
        return [body]


def _greenlets() -> int:
    gc.collect()
    return sum(isinstance(each, greenlet) and not each.dead for each in gc.get_objects())


# Flask calls this attribute for each request; it is the documented place of a WSGI middleware.
app.wsgi_app = Observed(app.wsgi_app)  # type: ignore[method-assign]
