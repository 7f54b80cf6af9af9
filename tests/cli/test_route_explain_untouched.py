"""`route explain` looks and changes nothing; what it cannot use it refuses in a clear line."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import cc_relay
from relay.limits.kinds import A_REQUEST
from relay.routing.candidate import set_id
from tests.cli.conftest import Process, Run
from tests.cli.explaining import entry, explained, steps
from tests.cli.kept import fails, kept, keys, records, upstream, write
from tests.scripted.answers import says_error
from tests.scripted.config import config as settings
from tests.scripted.config import provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until
from tests.state.redis_server import IS_LEFT_OUT, LEFT_OUT, RedisServer

STORE = Path(".local/state/cc-relay/store")
EASY = {"circuit_breaker": {"failure_threshold": 1, "open_duration_ms": 20_000}}
STRATEGIES = [
    "failover",
    "round_robin",
    "weighted_round_robin",
    "shuffle",
    "least_loaded",
    "weighted_failover",
    "latency_based",
    "cache_affinity",
]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_is_sent_and_nothing_in_the_store_changes(
    run: Run, config: Path, home: Path, asked: Upstream, strategy: str
) -> None:
    limited = [{"key": f"k{n}", "rpm_limit": 9, "itpm_limit": 999} for n in range(3)]
    pooling = {"strategy": "round_robin"}
    ours = [provider(name, asked, keys=limited, pooling=pooling) for name in "ABC"]
    write(config, *ours, routing={"strategy": strategy}, health=EASY)
    with kept(config) as relay:
        store, pool = relay.means.lasting.store, upstream(relay, "A").pool
        within = set_id([each.candidate for each in relay.means.upstreams])
        store.count(f"strategy/{strategy}", 4, "" if strategy == "round_robin" else within)
        for _ in range(2):
            pool.lease(keys(relay, "A"), A_REQUEST)
        fails(relay, "C")
        relay.means.lasting.breakers.probed("C", relay.config.health.circuit_breaker)
    before = records(home / STORE)

    found = [explained(run, "--session", "s", "--model", "m") for _ in range(3)]

    assert {len(document["steps"]) for document in found} == {3}
    assert {document["state_fault"] for document in found} == {None}
    assert records(home / STORE) == before
    assert asked.accepted == 0


def test_it_says_whose_turn_it_is_and_leaves_it_so(run: Run, config: Path) -> None:
    ours = [entry(name, "k0", "k1", pooling={"strategy": "round_robin"}) for name in "ABC"]
    write(config, *ours, routing={"strategy": "round_robin"})
    with kept(config) as relay:
        relay.means.lasting.store.count("strategy/round_robin", 1)
        upstream(relay, "B").pool.lease(keys(relay, "B"), A_REQUEST)

    for _ in range(3):
        document = explained(run)
        assert steps(document, "key") == [("B/1",), ("C/0",), ("A/0",)]


@pytest.mark.parametrize("strategy", ["weighted_round_robin", "shuffle"])
def test_a_turn_among_others_stays_where_it_is(
    run: Run, config: Path, home: Path, strategy: str
) -> None:
    ours = [entry(name) for name in "ABC"]
    write(config, *ours, routing={"strategy": strategy})
    with kept(config) as relay:
        relay.means.lasting.store.count(f"strategy/{strategy}", 4, "other providers than these")
    before = records(home / STORE)

    assert len(explained(run)["steps"]) == 3

    assert records(home / STORE) == before


def test_without_a_store_no_folder_is_made(run: Run, config: Path, home: Path) -> None:
    assert config.exists()

    result = run("route", "explain")

    assert result.exit_code == 0
    assert f"state      nothing known: no relay has kept anything in {home / STORE} yet" in (
        result.stdout
    )
    assert sorted(each.name for each in home.iterdir()) == ["config.yaml"]


def test_a_relay_that_keeps_to_itself_what_it_knows_is_said(run: Run, config: Path) -> None:
    write(config, entry("A"), state={"url": "memory:"}, server={"workers": 1})

    assert "state.url is memory:" in run("route", "explain").stdout


def test_a_store_that_cannot_be_opened_is_said(run: Run, config: Path, home: Path) -> None:
    write(config, entry("A"))
    with kept(config) as relay:
        upstream(relay, "A").pool.rest(0, 100)
    (home / STORE / "opening").unlink()
    (home / STORE / "opening").mkdir()

    document = explained(run)

    assert document["state_fault"].startswith("the store of state.url does not answer: ")
    assert steps(document, "key") == [("A/0",)]


@pytest.mark.skipif(IS_LEFT_OUT, reason=LEFT_OUT)
def test_a_redis_is_asked_too_and_one_that_is_away_is_said(run: Run, config: Path) -> None:
    with RedisServer() as server:
        write(config, entry("A", "k0", "k1"), state={"url": server.url})
        with kept(config) as relay:
            upstream(relay, "A").pool.rest(0, 100)
        document = explained(run)
        assert (document["state_fault"], steps(document, "key")) == (None, [("A/1",)])

    document = explained(run)

    assert document["state_fault"].startswith("the store of state.url does not answer")
    assert steps(document, "key") == [("A/0",)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--body", "missing.json"), "'missing.json': No such file or directory"),
        (("--body", "."), "Is a directory"),
        (("--body", "text"), "is not a JSON object"),
        (("--body", "list"), "is not a JSON object"),
        (("--header", "x-api-key"), "'x-api-key' is not NAME=VALUE"),
        (("--header", "=SECRET"), "is not NAME=VALUE"),
        (("--header", " =SECRET"), "is not NAME=VALUE"),
        (("more",), "unexpected extra argument"),
    ],
)
def test_what_is_no_request_is_wrong_usage(
    run: Run, config: Path, home: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert config.exists()
    (home / "text").write_text("not json")
    (home / "list").write_text("[1]")

    result = run("route", "explain", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_body_comes_from_stdin_too(config: Path) -> None:
    write(config, entry("A"))

    result = CliRunner().invoke(
        cc_relay, ["route", "explain", "--json", "--body", "-"], input=io.BytesIO(b'{"model":"m"}')
    )

    assert json.loads(result.stdout)["model"] == "m"


def test_a_broken_config_is_named_with_exit_code_1(run: Run, config: Path) -> None:
    config.write_text("server: [listen\n")

    result = run("route", "explain")

    assert (result.exit_code, result.stdout) == (1, "")
    assert str(config) in result.stderr


def test_beside_a_running_relay_it_shows_what_the_workers_know(
    process: Process, asked: Upstream, tmp_path: Path
) -> None:
    ours = settings(
        provider("A", asked, "a0", "a1"),
        provider("B", asked, "b0"),
        health={"circuit_breaker": {"failure_threshold": 2, "open_duration_ms": 60_000}},
    )
    asked.says(says_error(429, "rate_limit_error", headers={"retry-after": "50"}))
    folder = tmp_path / "relay"
    folder.mkdir()
    with Relay(folder, ours, workers=2) as relay:
        first, second = relay.workers
        assert relay.connect(first).ask("POST", "/v1/messages", BODY).status == 200
        out = json.loads(_explain(process, relay))
        assert steps(out, "provider", "key") == [("A", "A/1"), ("B", "B/0")]
        assert out["steps"][0]["note"].startswith("A/0 rests for ")
        asked.says(says_error(500, "api_error"))
        relay.connect(second).ask("POST", "/v1/messages", BODY)
        asked.says(says_error(500, "api_error"))
        relay.connect(first).ask("POST", "/v1/messages", BODY)

        def is_out() -> bool:
            return bool(json.loads(_explain(process, relay))["excluded"])

        until("the breaker is seen open", is_out, 10)
        sent = len(asked.requests)
        assert relay.connect(second).ask("POST", "/v1/messages", BODY).status == 200
        assert len(asked.requests) == sent + 1
        assert relay.output().count("Traceback") == 0


BODY = b'{"model":"m","max_tokens":1,"messages":[]}'


def _explain(process: Process, relay: Relay) -> str:
    state = {"CC_RELAY_STATE_DIR": str(relay.folder / "state")}
    ended = process("route", "explain", "--json", "--config", str(relay.path), **state)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout
