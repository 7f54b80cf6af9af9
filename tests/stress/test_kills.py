"""Workers are killed at random moments: nobody else notices, nothing stays (checks 12, 24, 26)."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from tests.scripted import processes
from tests.scripted.answers import says_message
from tests.scripted.client import Connection
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until
from tests.stress.asking import ask, body
from tests.stress.conftest import new_seed, running, size
from tests.stress.stage import FOUND_WITHIN_S, PLACES, PROBES, Seen, Stage, fails

pytestmark = pytest.mark.timeout(size(180, full=300))

KILLS: Final = size(6, full=20)
CLIENTS: Final = 12
LEAVES: Final = 5
"""Each client leaves every so many requests without the answer."""
LOST: Final = 8
LOOK_EVERY_S: Final = 2.0


def _worker_of(relay: Relay, connection: Connection) -> int:
    """Who has taken it; 0 when that one is gone again."""
    ends = time.monotonic() + FOUND_WITHIN_S
    while time.monotonic() < ends:
        for pid in relay.workers:
            try:
                if processes.peer_of(connection.socket, [pid]):
                    return pid
            except OSError:
                continue
        time.sleep(0.005)
    return 0


def _client(stage: Stage, name: int, ending: threading.Event) -> list[Seen]:
    seen = []
    number = 0
    while not ending.is_set():
        number += 1
        with Connection(stage.relay.port) as connection:
            worker = _worker_of(stage.relay, connection)
            data = body(stream=number % 3 != 0)
            if number % LEAVES == 0:
                connection.begin("POST", "/v1/messages", data)
                time.sleep(0.1)
                continue
            asked = ask(stage.relay.port, f"c{name}-{number}", data, connection=connection)
        seen.append(Seen(asked, worker))
    return seen


def _storm(stage: Stage, chance: random.Random) -> list[Seen]:
    """Kill workers under load."""
    ending = threading.Event()
    seen: list[list[Seen]] = []
    threads = [
        threading.Thread(target=lambda name=name: seen.append(_client(stage, name, ending)))
        for name in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 1.2))
            stage.kill(chance.choice(stage.relay.workers))
        time.sleep(1)
    finally:
        ending.set()
        for thread in threads:
            thread.join(20)
    assert len(seen) == CLIENTS, "a client failed"
    return [one for of_client in seen for one in of_client]


def _since(upstream: Upstream, before: int, count: int) -> list[Recorded]:
    """What arrived after the first `before`, once it is `count`."""
    return upstream.wait_for(before + count)[before:]


def _kill_with_probes(stage: Stage) -> None:
    """Kill a worker that holds all probes of `c`, and exchanges with one key of `a` alone."""
    providers, victim = stage.providers, stage.relay.workers[0]
    before_a = len(stage.a.requests)
    providers.of_c, providers.holds = fails, "a-1"
    connections = [stage.relay.connect(victim) for _ in range(LOST)]
    for connection in connections:
        connection.begin("POST", "/v1/messages", body())
    keys = Counter(r.header("x-api-key") for r in _since(stage.a, before_a, LOST))
    assert keys["a-1"] >= 2, keys  # how many depends on what the dead still count for
    time.sleep(0.7)  # the others end, and the breaker of `c` is half-open
    providers.of_c = lambda _: says_message(before=(providers.hold,))
    before_c = len(stage.c.requests)
    for _ in range(PROBES + 2):
        stage.relay.connect(victim).begin("POST", "/v1/messages", body())
    _since(stage.a, before_a + LOST, 2)
    time.sleep(0.2)
    # Fewer where others of the dead had taken the probes' places.
    assert len(stage.c.requests) <= before_c + PROBES, "half-open lets more than its probes through"
    stage.kill(victim)
    stage.relay.hang_up()
    providers.of_c, providers.holds = fails, ""


def _serves_again(stage: Stage) -> bool:
    """Whether `c` is asked, and asked again and again."""
    before = len(stage.c.requests)
    for number in range(PROBES + 1):
        assert ask(stage.relay.port, f"again{number}", body()).is_whole
    return len(stage.c.requests) == before + PROBES + 1


def _are_even(stage: Stage, figure: Callable[[str], None]) -> bool:
    """Hold every place there is; whether both keys have the same number of exchanges."""
    relay, before = stage.relay, len(stage.a.requests)
    stage.providers.hold.clear()
    held = [relay.connect() for _ in range(PLACES)]
    for connection in held:
        connection.begin("POST", "/v1/messages", body())
    try:
        arrived = _since(stage.a, before, PLACES)
        assert ask(relay.port, "one more", body()).status == 503
    finally:
        stage.providers.hold.set()
    assert {connection.response().status for connection in held} == {200}
    relay.hang_up()
    keys = Counter(request.header("x-api-key") for request in arrived)
    figure(f"{dict(keys)} {stage.since_s:.0f} s after the last kill")
    if set(keys.values()) == {PLACES // 2}:
        return True
    time.sleep(LOOK_EVERY_S)
    return False


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """After the kills."""
    with ExitStack() as stack:
        seed = new_seed()
        stage = Stage(tmp_path_factory.mktemp("kills"), seed, stack)
        running.append(stage.relay)
        stack.callback(running.remove, stage.relay)
        stage.seen = _storm(stage, seed.chance("kills"))
        _kill_with_probes(stage)
        yield stage


def test_who_was_not_killed_answers_to_the_end(stage: Stage, figure: Callable[[str], None]) -> None:
    assert ask(stage.relay.port, "after", body()).is_whole
    broken = [one for one in stage.seen if not one.asked.is_whole]
    figure(f"{len(stage.killed)} kills, {len(stage.seen)} answers, {len(broken)} broken off")
    assert broken, "no kill met an exchange"
    assert [one for one in broken if not stage.had_to_break(one)] == []
    assert len(stage.seen) - len(broken) > KILLS


def test_lost_probes_are_followed_by_others(stage: Stage, figure: Callable[[str], None]) -> None:
    stage.providers.of_c, stage.providers.holds = lambda _: says_message(), ""
    until("c serves again", lambda: _serves_again(stage), stage.left_s)
    figure(f"c again {stage.since_s:.0f} s after the last kill")


def test_all_places_are_there_and_no_key_counts_what_the_dead_had(
    stage: Stage, figure: Callable[[str], None]
) -> None:
    stage.providers.of_c, stage.providers.holds = fails, "a"
    until("both keys as before", lambda: _are_even(stage, figure), stage.left_s)


def test_the_store_opens_and_was_never_damaged(stage: Stage) -> None:
    stage.relay.stop()
    stage.providers.of_c = lambda _: says_message()
    with Relay(stage.folder, stage.settings, workers=1) as again:
        assert ask(again.port, "opens", body()).is_whole
        assert "store set aside" not in again.output()
        assert "Traceback" not in again.output()
