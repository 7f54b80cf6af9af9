"""A gateway as it is written on the command line."""

import os

import pytest

from bench.load.gateway import Gateway


def test_a_gateway_has_a_name_and_a_url() -> None:
    assert Gateway.parse("go=http://127.0.0.1:9102") == Gateway("go", "127.0.0.1", 9102)


def test_a_gateway_may_have_a_path_and_a_process() -> None:
    written = f"other=http://localhost:4000/anthropic/#{os.getpid()}"

    gateway = Gateway.parse(written)

    assert gateway == Gateway("other", "localhost", 4000, "/anthropic", os.getpid())
    assert gateway.request(b"{}").startswith(b"POST /anthropic/v1/messages HTTP/1.1\r\n")
    assert os.getpid() in gateway.pids()


@pytest.mark.parametrize(
    "written",
    [
        "http://127.0.0.1:9102",
        "go=127.0.0.1:9102",
        "go=https://127.0.0.1:9102",
        "go=http://:9102",
        "go=http://127.0.0.1:port",
        "go=http://127.0.0.1:9102#999999999",
    ],
)
def test_what_is_no_gateway_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Gateway.parse(written)
