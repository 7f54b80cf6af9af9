"""The client in processes of its own: patched or not, in the main thread or in many."""

import subprocess
import sys

import pytest

# Runs one exchange over TLS (refused by name) and one in the clear, from the thread it is in.
EXCHANGE = """
import os, sys, threading, time
from pathlib import Path
from gevent import socket, spawn
from relay.errors import UpstreamUnreachable
from relay.upstream.client import Client
from tests.upstream.conftest import whole
from tests.upstream.scripted import CA_FILE, Server, a_request, repeats

def exchanges():
    plain, encrypted = Server(repeats()), Server(repeats(), "good")
    trusting, other = Client(ca_file=CA_FILE), Client()
    for _ in range(2):
        assert whole(trusting, a_request(plain.url())) == (200, b"ok")
        assert whole(trusting, a_request(encrypted.url())) == (200, b"ok")
        by_name = plain.url().replace("127.0.0.1", "localhost")
        assert whole(trusting, a_request(by_name)) == (200, b"ok")
    try:
        other.begin(a_request(encrypted.url()))
    except UpstreamUnreachable as error:
        assert "certificate" in str(error)
    else:
        raise AssertionError
    for each in (plain, encrypted):
        assert each.connections <= 3
        each.stop()
    return trusting, other

def descriptors():
    return len(os.listdir("/proc/self/fd"))
"""

IN_THREADS = """
def run():
    for client in exchanges():
        pass  # dropped with its idle connections, as when a thread of `flask run` ends

exchanges_before = exchanges()
for client in exchanges_before:
    client.close()
before, tasks = descriptors(), len(os.listdir("/proc/self/task"))
for _ in range(5):
    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
assert descriptors() == before, (descriptors(), before)
for _ in range(100):  # a thread that was joined may take the kernel a moment longer
    if len(os.listdir("/proc/self/task")) <= tasks:
        break
    time.sleep(0.02)
else:
    raise AssertionError(os.listdir("/proc/self/task"))
print("done")
"""

SHARED = """
plain = [Server(repeats()) for _ in range(1)]
client = Client()
faults = []

def run(server):
    try:
        for _ in range(50):
            assert whole(client, a_request(server.url())) == (200, b"ok")
    except BaseException as error:
        faults.append(error)

def serve_and_run():
    own = Server(repeats())
    run(own)
    assert own.connections == 1
    own.stop()

threads = [threading.Thread(target=serve_and_run) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(20)
assert not faults, faults
assert repr(client) == "Client(Transport(Pool()))"
print("done")
"""

HANDED_OVER = """
client, handed, done = Client(), [], threading.Event()

def begin():
    server = Server(repeats())
    call = client.begin(a_request(server.url()))
    handed.append((call, call.head()))
    done.wait(10)
    server.stop()

thread = threading.Thread(target=begin)
thread.start()
while not handed:
    time.sleep(0.01)
call, response = handed[0]
assert response.read1() == b"ok"
assert repr(client) == "Client(Transport(Pool()))", client
done.set()
thread.join(10)
print("done")
"""

PATCH = "import gevent.monkey; gevent.monkey.patch_all()\n"
ONCE = """
for client in exchanges():
    client.close()
print("done")
"""


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("before", ["", PATCH], ids=["plain", "patched"])
def test_client_works_with_and_without_monkey_patching(before: str) -> None:
    assert run(before + EXCHANGE + ONCE) == "done\n"


def test_threads_that_end_leave_neither_descriptors_nor_threads() -> None:
    assert run(EXCHANGE + IN_THREADS) == "done\n"


def test_connection_is_not_kept_by_a_thread_that_did_not_make_it() -> None:
    assert run(EXCHANGE + HANDED_OVER) == "done\n"


def test_one_client_serves_many_threads_at_once() -> None:
    assert run(EXCHANGE + SHARED) == "done\n"
