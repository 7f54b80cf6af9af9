"""`providers test`: what it leaves behind in the store, and nothing else anywhere."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

from relay.limits.kinds import A_REQUEST
from tests.cli.conftest import LIMIT_S, Run, environment
from tests.cli.kept import fails, kept, keys, upstream, write
from tests.scripted.answers import says_error, says_message
from tests.scripted.config import provider
from tests.scripted.upstream import Upstream


def test_a_key_that_answers_is_no_longer_set_aside_and_its_rest_stays(
    run: Run, config: Path, asked: Upstream
) -> None:
    write(config, provider("one", asked, "k0", "k1", "k2"))
    with kept(config) as relay:
        pool = upstream(relay, "one").pool
        for position in (0, 1):
            pool.set_aside(position, 1000)
        for position in (0, 2):
            pool.rest(position, 1000)
        fails(relay, "one")
    asked.says(says_message(), says_error(403, "permission_error"), says_message())

    result = run("providers", "test")

    lines = result.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["one/0", "ok"],
        ["one/1", "failed"],
        ["one/2", "ok"],
    ]
    assert [line.endswith("no longer set aside") for line in lines] == [True, False, False]
    (one,) = json.loads(run("providers", "--json").stdout)["data"]
    assert [bool(key["aside_s"]) for key in one["keys_state"]] == [False, True, False]
    assert [bool(key["rests_s"]) for key in one["keys_state"]] == [True, False, True]
    assert _restored(run) == [False, True, False]
    with kept(config) as relay:
        store, name = relay.means.lasting.store, relay.means.lasting.breakers.name("one")
        assert store.look([name]).records[0] is not None  # its row of failures goes on


def test_what_it_costs_is_counted_and_nothing_in_flight_is_left(
    run: Run, config: Path, asked: Upstream
) -> None:
    limited = [{"key": f"k{n}", "rpm_limit": 2} for n in range(2)]
    write(config, provider("one", asked, keys=limited))
    with kept(config):
        pass

    assert [run("providers", "test").exit_code for _ in range(3)] == [0] * 3

    assert len(asked.requests) == 6  # where there is no room, it is asked all the same
    with kept(config) as relay:
        pool, standing = upstream(relay, "one").pool, keys(relay, "one")
        assert pool.available(standing) == 0
        states = pool.states(standing, A_REQUEST)
        assert [state.used[2] for state in states] == [0, 0]


def test_without_a_store_no_folder_is_made(
    run: Run, config: Path, home: Path, asked: Upstream
) -> None:
    write(config, provider("one", asked, "k"))

    assert run("providers", "test").exit_code == 0

    assert [each.name for each in home.iterdir()] == ["config.yaml"]


def test_ctrl_c_ends_it_with_what_there_is_so_far(
    home: Path, config: Path, asked: Upstream
) -> None:
    write(config, provider("one", asked, "k0", "k1"))
    with kept(config):
        pass
    hold = threading.Event()
    asked.says(says_message(), says_message(before=(hold,)))
    with subprocess.Popen(
        [sys.executable, "-m", "relay.cli", "providers", "test"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("one/0  ok")
            asked.wait_for(2)
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
            hold.set()

    assert (process.returncode, out) == (1, "")
    assert error.strip() == "Aborted!"
    with kept(config) as relay:
        states = upstream(relay, "one").pool.states(keys(relay, "one"), A_REQUEST)
        assert [state.used[2] for state in states] == [0, 0]


def _restored(run: Run) -> list[bool]:
    document = json.loads(run("providers", "test", "--json").stdout)
    return [each["restored"] for each in document["data"]]
