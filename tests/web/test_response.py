"""A reply is handed to the server as it is."""

import pytest

from relay.exchange.reply import Reply
from relay.web.response import PreparedResponse


@pytest.mark.parametrize(
    ("status", "line"),
    [(200, "200 OK"), (413, "413 "), (429, "429 Too Many Requests"), (529, "529 Unknown")],
)
def test_status_headers_and_body_reach_the_server_untouched(status: int, line: str) -> None:
    body = iter([b"a", b"b"])
    headers = [("x-a", "1"), ("x-a", "2"), ("Content-Length", "2")]
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(line: str, headers: list[tuple[str, str]]) -> None:
        started.append((line, headers))

    given = PreparedResponse(Reply(status, headers, body))({}, start_response)  # type: ignore[arg-type]  # what is used

    assert given is body
    ((said, shown),) = started
    assert said.startswith(line)
    assert shown == headers
