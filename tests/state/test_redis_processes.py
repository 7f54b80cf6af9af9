"""One Redis, several users: processes, a fork, greenlets, TLS."""

import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from relay.secret import Secret
from relay.state.redis import RedisStore
from relay.state.store import Claim, Full, StoreAway, Taken
from tests.state.redis_server import RedisServer

ROOM = 300
# Each line of a script's output is what it got; the URL comes by the environment.
TAKE = f"""
import os
from relay.secret import Secret
from relay.state.redis import RedisStore
from relay.state.store import Claim, Taken
store = RedisStore(Secret(os.environ["URL"]))
taken = 0
while isinstance(store.take([[Claim("all", 1), Claim("w", 1, {ROOM})]]), Taken):
    taken += 1
print(taken)
"""
HOLD = """
import os, time
from relay.secret import Secret
from relay.state.redis import RedisStore
from relay.state.store import Claim, Taken
store = RedisStore(Secret(os.environ["URL"]))
taken = [store.take([[Claim("killed", 1, 2, lasting=True)]]) for _ in range(3)]
store.renew({"killed": 2}, (), 1.0)
found = sum(isinstance(each, Taken) for each in taken)
print(found, store.count("killed"), flush=True)
time.sleep(20)
"""
GREENLETS = """
from gevent import monkey; monkey.patch_all()
import os, signal, threading, time, gevent
from relay.secret import Secret
from relay.state.redis import RedisStore
from relay.state.store import Claim, StoreAway, Taken
store = RedisStore(Secret(os.environ["URL"]))
claims = [[Claim("g", 1, 40)]]
replies = [g.get(timeout=10) for g in [gevent.spawn(store.take, claims) for _ in range(100)]]
print(sum(isinstance(each, Taken) for each in replies))

killed = gevent.spawn(store.now)
gevent.sleep(0)
killed.kill()
print(store.count("n"), store.count("n"))

os.kill(int(os.environ["PID"]), signal.SIGSTOP)
ticks = []
ticking = gevent.spawn(lambda: [ticks.append(gevent.sleep(0.005)) for _ in range(1000)])
def wait():
    began = time.monotonic()
    try:
        store.now()
    except StoreAway:
        return time.monotonic() - began
waited = [g.get(timeout=10) for g in [gevent.spawn(wait) for _ in range(30)]]
print(max(waited) < 0.18, len(ticks) > 5)
os.kill(int(os.environ["PID"]), signal.SIGCONT)
until = time.monotonic() + 5
while wait() is not None and time.monotonic() < until:
    gevent.sleep(0.02)
print(wait())
"""


def start(script: str, server: RedisServer) -> "subprocess.Popen[str]":
    """Run a script in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "URL": server.url, "PID": str(server.pid), "PYTHONPATH": "."},
        stdout=subprocess.PIPE,
        text=True,
    )


def printed(process: "subprocess.Popen[str]") -> list[str]:
    """The lines it printed."""
    try:
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    return out.splitlines()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def test_processes_together_take_no_more_than_the_limit(server: RedisServer) -> None:
    processes = [start(TAKE, server) for _ in range(3)]
    taken = [int(printed(each)[0]) for each in processes]
    assert sum(taken) == ROOM


def test_what_a_killed_process_held_runs_out(server: RedisServer) -> None:
    holding = start(HOLD, server)
    assert holding.stdout
    assert holding.stdout.readline() == "2 0\n"
    store = RedisStore(Secret(server.url))
    claims = [[Claim("killed", 1, 2, lasting=True)]]
    store.renew({"killed": 0}, (), 45.0)  # none of theirs
    assert isinstance(store.take(claims), Full)
    holding.kill()
    holding.communicate()

    until = time.monotonic() + 5
    while isinstance(store.take(claims), Full) and time.monotonic() < until:
        time.sleep(0.02)

    assert [load.held for load in store.loads(["killed"])] == [1]
    store.close()


def test_greenlets_share_it_and_others_run_while_they_wait(server: RedisServer) -> None:
    assert printed(start(GREENLETS, server)) == ["40", "0 1", "True True", "None"]


def test_a_child_has_connections_of_its_own(server: RedisServer) -> None:
    store = RedisStore(Secret(server.url))
    assert store.count("fork") == 0
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, b" ".join(b"%d" % store.count("fork") for _ in range(100)))
        os._exit(0)
    counted = [store.count("fork") for _ in range(100)]
    _, status = os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        counted += map(int, answer.read().split())
    assert status == 0
    assert sorted(counted) == list(range(1, 201))
    assert store.count("fork") == 201  # the child's end has not ended ours
    store.close()


def test_a_store_that_is_only_made_opens_nothing(server: RedisServer) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    store = RedisStore(Secret(server.url))
    assert set(Path("/proc/self/fd").iterdir()) == before
    store.close()


def answers_within(store: RedisStore, seconds: float) -> None:
    """On a busy machine the first handshake may take longer than a step may."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(StoreAway):
            store.now()
            return
        time.sleep(0.05)


def test_it_speaks_tls_and_believes_only_the_authority_it_is_told(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    tls = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    tls += ["--tls-auth-clients", "no", "--requirepass", "the-password"]
    with RedisServer(tls_settings=tls) as server:
        url = f"rediss://:the-password@127.0.0.1:{server.port}/0"
        store = RedisStore(Secret(f"{url}?ssl_ca_certs={certificate}"))
        answers_within(store, 5)
        assert isinstance(store.take([[Claim("w", 1, 1)]]), Taken)
        facts = {"f": bytes(200_000)}
        store.remember(facts, 30.0)
        assert store.recall(["f"]) == [facts["f"]]
        store.close()
        stranger = RedisStore(Secret(url))
        with pytest.raises(StoreAway, match=r"^Redis cannot be reached: "):
            stranger.now()
        stranger.close()
    _collect_what_the_library_left()


def _collect_what_the_library_left() -> None:
    """On a busy machine a handshake may take longer than a connection waits for it; the socket of
    one that was broken off is then closed by the collector alone, in the middle of another test.
    """
    until = time.monotonic() + 5
    while any(each.name == "cc-relay-redis" for each in threading.enumerate()):
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
