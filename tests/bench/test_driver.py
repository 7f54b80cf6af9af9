"""The load counts right: what came whole, what did not, and why."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bench.load.driver import Driver, Pattern
from bench.load.gateway import Gateway
from bench.load.stage import Stage, drive, message


def nowhere() -> Gateway:
    """A gateway at a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return Gateway("nowhere", "127.0.0.1", probe.getsockname()[1])


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[Gateway]:
    """A gateway that says this to each connection, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connected, _ = listener.accept()
                    with connected:
                        connected.recv(65536)
                        connected.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        yield Gateway("own", "127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        serving.join(5)


def test_every_event_of_every_stream_is_counted_and_timed(direct: Gateway) -> None:
    record = drive(direct, Pattern(message(events=25, interval_ms=2), 4, 25), 0.2)

    assert not record.errors
    assert record.answers >= 8
    assert record.events == 25 * record.answers
    assert len(record.transit_ns) == record.events
    assert all(0 < each < 1_000_000_000 for each in record.transit_ns)


def test_streams_without_pause_arrive_complete(direct: Gateway) -> None:
    record = drive(direct, Pattern(message(events=30_000), 2, 30_000), 0.1)

    assert not record.errors
    assert record.events == 30_000 * record.answers > 0


def test_events_come_in_the_interval_asked_for(direct: Gateway) -> None:
    record = drive(direct, Pattern(message(events=11, interval_ms=10), 1, 11), 0.01)

    assert record.answers == 1
    assert 100 <= record.whole_ns[0] / 1e6 < 300
    assert record.first_ns[0] / 1e6 < 100  # the first goes out at once


def test_small_calls_are_counted_and_timed(direct: Gateway) -> None:
    record = drive(direct, Pattern(message(), 2), 0.1)

    assert not record.errors
    assert record.answers == len(record.whole_ns) == len(record.first_ns) > 10


def test_a_cut_stream_is_an_error_and_its_events_count(cutting: Stage) -> None:
    record = drive(cutting.direct, Pattern(message(events=10, interval_ms=2), 2, 10), 0.05)

    assert record.answers == 0
    assert set(record.errors) == {"cut"}
    assert record.events == 3 * record.errors["cut"]


def test_a_stream_that_lacks_events_is_an_error(direct: Gateway) -> None:
    record = drive(direct, Pattern(message(events=9, interval_ms=1), 1, events=10), 0.05)

    assert record.answers == 0
    assert set(record.errors) == {"9 of 10 events"}


def test_what_does_not_end_in_time_is_an_error(direct: Gateway) -> None:
    pattern = Pattern(message(events=1_000_000, interval_ms=10), 3, events=None)

    with Driver(direct, pattern) as driver:
        for _ in range(20):
            driver.step()
        driver.finish(0.1)

    assert driver.record.errors.total() == 3
    assert driver.record.answers == 0


def test_a_gateway_that_is_not_there_is_an_error_and_not_flooded() -> None:
    began = time.monotonic()
    record = drive(nowhere(), Pattern(message(), 2), 0.3)

    assert record.answers == 0
    assert 2 <= record.errors.total() <= 2 * 10 * (time.monotonic() - began)


def test_a_refusal_is_an_error_with_its_reason() -> None:
    refusal = b"HTTP/1.1 503 Busy\r\ncontent-length: 9\r\n\r\nnot today"

    with answering(refusal) as gateway:
        record = drive(gateway, Pattern(message(), 1), 0.05)

    assert record.answers == 0
    assert set(record.errors) == {"503 not today"}


@pytest.mark.parametrize("head", [b"connection: close\r\ncontent-length: 2\r\n", b""])
def test_a_gateway_that_closes_after_each_answer_is_dialled_again(head: bytes) -> None:
    with answering(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n{}") as gateway:
        record = drive(gateway, Pattern(message(), 1), 0.1)

    assert not record.errors
    assert record.answers > 2


def test_starts_are_spread_over_the_time_asked_for(direct: Gateway) -> None:
    pattern = Pattern(message(events=1_000, interval_ms=50), 10, None, spread_s=10.0)

    with Driver(direct, pattern) as driver:
        for _ in range(20):
            driver.step()
        opened = len(driver.record.first_ns)

    assert opened == 1


def test_no_more_wait_for_their_first_byte_than_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gateway = Gateway("silent", "127.0.0.1", silent.getsockname()[1])
        with Driver(gateway, Pattern(message(), 10, at_once=3)) as driver:
            for _ in range(20):
                driver.step()
            silent.settimeout(0.1)
            dialled = list[socket.socket]()
            with contextlib.suppress(TimeoutError):
                while True:
                    dialled.append(silent.accept()[0])
            for each in dialled:
                each.close()

    assert len(dialled) == 3
