"""`providers`: who is configured to answer, and how they are where a relay has run."""

import json
import re
from pathlib import Path

import pytest

from relay.limits.kinds import A_REQUEST
from tests.cli.conftest import Run
from tests.cli.kept import fails, kept, keys, upstream
from tests.state.redis_server import IS_LEFT_OUT, LEFT_OUT, RedisServer

FILE = """\
server: {listen: "127.0.0.1:8787"}
providers:
  - name: one
    type: anthropic
    base_url: https://user:SECRET@gateway.example:8443/x
    auth: configured
    priority: 2
    weight: 5
    keys: [{key: SECRET-a}, {key: ""}, {key: SECRET-b}, {key: SECRET-a}]
  - {name: open, type: anthropic}
  - {name: resting, type: zai, enabled: false}
"""


@pytest.fixture(autouse=True)
def _file(home: Path) -> None:
    (home / "config.yaml").write_text(FILE)


def test_without_a_store_they_are_listed_with_their_keys_by_id_only(run: Run, home: Path) -> None:
    result = run("providers")

    assert result.exit_code == 0
    assert "SECRET" not in result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["NAME", "TYPE", "HOST", "AUTH", "PRIORITY", "WEIGHT", "KEYS"]
    assert lines[1].split(maxsplit=6) == [
        "one", "anthropic", "gateway.example:8443", "configured", "2", "5", "one/0, one/1",
    ]  # fmt: skip
    assert lines[2].split()[:4] == ["open", "anthropic", "api.anthropic.com", "auto"]
    assert len(lines) == 3
    assert [each.name for each in home.iterdir()] == ["config.yaml"]


def test_json_is_the_same_list(run: Run) -> None:
    document = json.loads(run("providers", "--json").stdout)

    assert document["object"] == "list"
    assert document["data"][0] == {
        "name": "one",
        "type": "anthropic",
        "host": "gateway.example:8443",
        "auth": "configured",
        "priority": 2,
        "weight": 5,
        "keys": ["one/0", "one/1"],
        "breaker": None,
        "keys_state": None,
    }
    assert document["data"][1]["keys"] == []


def test_where_a_relay_has_run_breakers_and_keys_are_shown(run: Run, home: Path) -> None:
    with kept(home / "config.yaml") as relay:
        fails(relay, "open", relay.config.health.circuit_breaker.failure_threshold)
        pool = upstream(relay, "one").pool
        pool.rest(0, 100)
        pool.set_aside(1, 1000)

    result = run("providers")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "SECRET" not in result.output
    heads, one, other = result.stdout.splitlines()
    assert heads.split()[-2:] == ["BREAKER", "KEYS"]
    assert one.removesuffix(_last(one)).split()[-1] == "closed"
    ours = re.fullmatch(r"one/0 rests for (\d+) s, one/1 is set aside for (\d+) s", _last(one))
    assert ours
    assert int(ours[1]) in {99, 100}
    assert int(ours[2]) in {999, 1000}
    assert re.search(r"  open for (29|30) s  +none: the client's own credential$", other)


def test_json_has_the_same_in_seconds(run: Run, home: Path) -> None:
    with kept(home / "config.yaml") as relay:
        fails(relay, "open", relay.config.health.circuit_breaker.failure_threshold)
        upstream(relay, "one").pool.rest(1, 100)

    one, other = json.loads(run("providers", "--json").stdout)["data"]

    assert one["breaker"] == {"state": "closed", "half_open_in_s": None}
    first, second = one["keys_state"]
    assert first == {"key": "one/0", "rests_s": 0, "aside_s": 0, "room_s": 0}
    assert (second["key"], second["aside_s"]) == ("one/1", 0)
    assert second["rests_s"] == pytest.approx(99, abs=1)
    assert other["breaker"]["state"] == "open"
    assert other["breaker"]["half_open_in_s"] == pytest.approx(29, abs=1)
    assert other["keys_state"] == []


def test_a_key_at_its_limit_has_no_room(run: Run, home: Path) -> None:
    (home / "config.yaml").write_text(
        FILE.replace("{key: SECRET-a}, {key", "{key: SECRET-a, rpm_limit: 1}, {key", 1)
    )
    with kept(home / "config.yaml") as relay:
        upstream(relay, "one").pool.lease(keys(relay, "one"), A_REQUEST)

    assert "one/0 has no room for " in run("providers").stdout


@pytest.mark.skipif(IS_LEFT_OUT, reason=LEFT_OUT)
def test_a_redis_that_is_away_is_said_and_the_list_is_there_all_the_same(
    run: Run, home: Path
) -> None:
    with RedisServer() as server:
        (home / "config.yaml").write_text(f"state: {{url: '{server.url}'}}\n{FILE}")
        assert "BREAKER" in run("providers").stdout

    result = run("providers", "--json")

    assert result.exit_code == 0
    assert result.stderr.startswith("the store of state.url does not answer")
    assert len(result.stderr.splitlines()) == 1
    assert json.loads(result.stdout)["data"][0]["breaker"] is None


def _last(line: str) -> str:
    return line.rsplit("  ", 1)[-1]
