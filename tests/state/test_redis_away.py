"""A Redis that is gone, frozen, slow or refuses us: known within the limit, then at once."""

import contextlib
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from relay.secret import Secret
from relay.state.redis import RedisStore
from relay.state.store import StoreAway
from tests.state.redis_server import RedisServer

# The limit, and what a busy machine of two cores may add.
LIMIT_S = 0.1 + 0.08
AT_ONCE_S = 0.05
BACK_S = 5.0


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def store(server: RedisServer) -> Iterator[RedisStore]:
    store = RedisStore(Secret(server.url))
    yield store
    store.close()


@contextlib.contextmanager
def opened(url: str) -> Iterator[RedisStore]:
    store = RedisStore(Secret(url))
    try:
        yield store
    finally:
        store.close()


def fails_after(step: Callable[[], object]) -> float:
    """Seconds until a step fails."""
    begun = time.monotonic()
    with pytest.raises(StoreAway):
        step()
    return time.monotonic() - begun


def back_after(store: RedisStore) -> float:
    """Seconds until a step works again."""
    begun = time.monotonic()
    while time.monotonic() - begun < BACK_S:
        with contextlib.suppress(StoreAway):
            store.now()
            return time.monotonic() - begun
        time.sleep(0.01)
    raise AssertionError("it did not come back")


def test_a_redis_that_is_not_there_is_known_at_once_and_found_when_it_comes() -> None:
    with RedisServer() as server, opened(server.url) as store:
        server.kill()
        assert fails_after(store.now) < LIMIT_S
        assert fails_after(store.now) < AT_ONCE_S
        server.start()
        assert back_after(store) < BACK_S


def test_a_redis_that_dies_and_comes_back_is_used_again(
    server: RedisServer, store: RedisStore
) -> None:
    assert store.count("n") == 0
    server.kill()
    assert fails_after(lambda: store.count("n")) < LIMIT_S
    server.start()
    back_after(store)
    assert store.count("n") == 0  # a new one, that knows no script either
    assert store.count("n") == 1


def test_a_connection_that_redis_ended_while_it_rested_is_not_noticed(
    server: RedisServer, store: RedisStore
) -> None:
    store.count("n")
    server.kill()
    server.start()
    time.sleep(0.15)
    assert store.count("n") == 0


def test_a_frozen_redis_costs_the_limit_once_and_comes_back(
    server: RedisServer, store: RedisStore
) -> None:
    store.now()
    server.freeze()
    assert 0.09 < fails_after(store.now) < LIMIT_S
    # Also while it is looked for, which a frozen server lets wait as well.
    began = time.monotonic()
    while time.monotonic() - began < 1.3:
        assert fails_after(store.now) < AT_ONCE_S
        time.sleep(0.01)
    server.thaw()
    assert back_after(store) < BACK_S


def test_a_frozen_redis_costs_the_limit_also_when_nothing_is_open_yet(server: RedisServer) -> None:
    server.freeze()
    with opened(server.url) as store:
        assert fails_after(store.now) < LIMIT_S
        assert fails_after(store.now) < AT_ONCE_S
        server.thaw()
        assert back_after(store) < BACK_S


def test_of_many_at_once_nobody_waits_longer_than_the_limit(
    server: RedisServer, store: RedisStore
) -> None:
    store.now()
    server.freeze()
    with ThreadPoolExecutor(24) as pool:
        waited_s = [
            each.result() for each in [pool.submit(fails_after, store.now) for _ in range(24)]
        ]
    assert max(waited_s) < LIMIT_S


def test_two_late_steps_take_no_longer_together_than_one_may(server: RedisServer) -> None:
    with opened(server.url) as store:
        store.now()
        began = time.monotonic()
        for pause_s in (0.06, 0.2):
            server.freeze()
            threading.Timer(pause_s, server.thaw).start()
            with contextlib.suppress(StoreAway):
                store.now()
        took_s = time.monotonic() - began
        time.sleep(0.2)  # for the thaw that is still to come
    assert 0.09 < took_s < LIMIT_S


def test_many_at_once_share_a_few_connections(server: RedisServer, store: RedisStore) -> None:
    together = threading.Barrier(24)

    def count() -> list[int]:
        together.wait(10)
        return [store.count("n") for _ in range(20)]

    with ThreadPoolExecutor(24) as pool:
        counted = [pool.submit(count) for _ in range(24)]
    assert sorted(number for each in counted for number in each.result()) == list(range(480))
    with socket.create_connection(("127.0.0.1", server.port), 5) as client:
        client.sendall(b"*2\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n")
        assert client.recv(65536).count(b" addr=") <= 1 + 8


class Slow:
    """A server that says one byte every 30 ms: no read is ever late, the reply is."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_closed = threading.Event()
        self.greets = True
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._is_closed.set()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=[client], daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.settimeout(10)
            while sent := client.recv(65536):
                if b"PING" in sent:
                    client.sendall(b"+PONG\r\n")
                    continue
                for byte in b":1234567890\r\n":
                    client.sendall(bytes([byte]))
                    self._is_closed.wait(0.03)


def test_a_redis_that_drips_does_not_stretch_the_limit_and_is_not_asked_all_the_time() -> None:
    slow = Slow()
    with opened(slow.url) as store:
        began = time.monotonic()
        waited_s = []
        while time.monotonic() - began < 1.6:
            waited_s.append(fails_after(store.now))
            time.sleep(0.01)
    slow.close()
    assert max(waited_s) < LIMIT_S
    # It is found by a first command at once, and again after a second; each time one step waits.
    assert sum(each > AT_ONCE_S for each in waited_s) <= 3


@pytest.mark.parametrize("user", [":not-the-password@", "nobody:not-the-password@", ""])
def test_a_wrong_password_is_a_store_away_that_tells_nothing(user: str) -> None:
    with RedisServer("--requirepass", "the-password") as server:
        url = f"redis://{user}127.0.0.1:{server.port}/0"
        with opened(url) as store, pytest.raises(StoreAway) as raised:
            store.now()
        with opened(f"redis://:the-password@127.0.0.1:{server.port}/3") as store:
            assert store.count("n") == 0
    told = "".join(traceback.format_exception(raised.value)) + repr(store)
    assert "not-the-password" not in told
    assert str(server.port) not in told
    assert "refused" in told or "NOAUTH" in told


@pytest.mark.parametrize(
    "url",
    [
        "memory:",
        "http://hunter2@h",
        "redis://:hunter2/@h:1",
        "redis://:p@h:hunter2",
        "redis://h?hunter2=1",
        "redis://h?protocol=hunter2&db=hunter2",
    ],
)
def test_a_url_that_is_none_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ValueError, match=r"^state\.url is not a Redis URL") as raised:
        RedisStore(Secret(url))
    told = "".join(traceback.format_exception(raised.value, chain=True))
    assert "hunter2" not in told


def test_a_host_without_an_address_is_a_store_away_that_does_not_name_it() -> None:
    with opened("redis://no-such-host.invalid:1") as store, pytest.raises(StoreAway) as raised:
        store.now()
    assert "invalid" not in "".join(traceback.format_exception(raised.value))


def test_after_close_a_step_fails_and_nothing_is_open(server: RedisServer) -> None:
    store = RedisStore(Secret(server.url))
    store.now()
    store.close()
    store.close()
    assert fails_after(store.now) < AT_ONCE_S
    time.sleep(0.05)  # Redis sees the end in its next turn
    with socket.create_connection(("127.0.0.1", server.port), 5) as client:
        client.sendall(b"*2\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n")
        assert client.recv(65536).count(b" addr=") == 1
