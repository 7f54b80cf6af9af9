"""`route explain`: the order, who is out and why, and the key, with exit code 1 for nobody."""

import json
from pathlib import Path

from relay.limits.kinds import A_REQUEST
from tests.cli.conftest import Run
from tests.cli.explaining import NOWHERE, entry, explained, steps
from tests.cli.kept import fails, kept, keys, upstream, write
from tests.scripted.config import provider

EASY = {"circuit_breaker": {"failure_threshold": 1, "open_duration_ms": 20_000}}


def test_candidates_stand_in_their_order_with_the_name_and_the_key_each_would_get(
    run: Run, config: Path
) -> None:
    write(
        config,
        entry("low", priority=0),
        entry("high", "SECRET-1", "SECRET-2", priority=2, model_mapping={"claude-*": "m1"}),
    )

    result = run("route", "explain", "--model", "claude-x")

    assert (result.exit_code, result.stderr) == (0, "")
    head, _, list_ = result.stdout.partition("\n\n")
    assert [line.split(maxsplit=1) for line in head.splitlines()][:2] == [
        ["strategy", "failover"],
        ["model", "claude-x"],
    ]
    assert [line.split() for line in list_.splitlines()] == [
        ["PROVIDER", "BREAKER", "MODEL", "KEY", "NOTE"],
        ["1", "high", "closed", "m1", "high/0"],
        ["2", "low", "closed", "claude-x", "low/0"],
    ]
    assert "SECRET" not in result.output


def test_json_is_one_document_with_everything(run: Run, config: Path) -> None:
    write(config, entry("one"))

    document = explained(run, "--model", "claude-x", "--session", "s-1")

    assert 1 <= document.pop("input_tokens") <= 40
    assert "no relay has kept anything" in document.pop("state_fault")
    assert document == {
        "strategy": "failover",
        "model": "claude-x",
        "scenario": "",
        "by_affinity": False,
        "session": "s-1",
        "steps": [
            {
                "provider": "one",
                "breaker": "closed",
                "model": "claude-x",
                "key": "one/0",
                "note": "",
                "can_serve": True,
                "input_tokens": 0,
                "output_tokens": 0,
            }
        ],
        "excluded": [],
        "error": None,
        "cost_usd": None,
    }


def test_an_open_breaker_is_out_and_a_half_open_one_is_asked(run: Run, config: Path) -> None:
    write(config, entry("A"), entry("B"), entry("C"), health=EASY)
    with kept(config) as relay:
        fails(relay, "A")
        fails(relay, "B")
        relay.means.lasting.breakers.probed("B", relay.config.health.circuit_breaker)

    document = explained(run)

    assert steps(document, "provider", "breaker") == [("B", "half-open"), ("C", "closed")]
    (out,) = document["excluded"]
    assert out["provider"] == "A"
    assert out["reason"] in {f"its breaker is open for {seconds} s" for seconds in (18, 19, 20)}


def test_nobody_is_exit_code_1_and_the_client_s_answer_beside_the_reasons(
    run: Run, config: Path
) -> None:
    write(config, entry("A"), entry("B"), health=EASY)
    with kept(config) as relay:
        fails(relay, "A")
        fails(relay, "B")

    result = run("route", "explain")

    assert (result.exit_code, result.stderr) == (1, "")
    assert "answer     503 overloaded_error: all providers unhealthy" in result.stdout
    assert "  A: its breaker is open for " in result.stdout
    assert "  B: its breaker is open for " in result.stdout
    assert [out["provider"] for out in explained(run)["excluded"]] == ["A", "B"]


def test_keys_that_are_out_are_told_each_with_its_reason(run: Run, config: Path) -> None:
    ours = [{"key": f"k{n}"} for n in range(3)] + [{"key": "k3", "rpm_limit": 1}, {"key": "k4"}]
    write(config, provider("A", NOWHERE, keys=ours, pooling={"strategy": "round_robin"}))
    with kept(config) as relay:
        pool = upstream(relay, "A").pool
        pool.rest(0, 100)
        pool.set_aside(1, 1000)
        pool.rest(2, 50)
        pool.set_aside(2, 1000)
        pool.lease(keys(relay, "A"), A_REQUEST, exclude={0, 1, 2, 4})

    (step,) = explained(run)["steps"]

    assert (step["key"], step["can_serve"]) == ("A/4", True)
    a, b, c, d = step["note"].split("; ")
    assert a in {"A/0 rests for 100 s", "A/0 rests for 99 s"}
    assert b in {"A/1 is set aside for 1000 s", "A/1 is set aside for 999 s"}
    assert c.startswith("A/2 is set aside for ")
    assert ", rests for " in c
    assert d.startswith("A/3 has no room for ")


def test_no_room_anywhere_is_the_local_429(run: Run, config: Path) -> None:
    write(config, provider("A", NOWHERE, keys=[{"key": "k", "rpm_limit": 1}]))
    with kept(config) as relay:
        upstream(relay, "A").pool.lease(keys(relay, "A"), A_REQUEST)

    document = explained(run)

    assert steps(document, "provider", "key", "can_serve") == [("A", "", False)]
    assert document["error"].startswith("429 rate_limit_error: every key")
    assert run("route", "explain").exit_code == 1
    assert "queue_ms" not in document["error"]


def test_where_a_request_would_wait_in_line_first_it_is_said(run: Run, config: Path) -> None:
    ours = provider("A", NOWHERE, keys=[{"key": "k", "rpm_limit": 1}])
    write(config, ours, routing={"queue_ms": 5000})
    with kept(config) as relay:
        upstream(relay, "A").pool.lease(keys(relay, "A"), A_REQUEST)

    error = explained(run)["error"]

    assert error.endswith(" s), unless there is room within 5 s (routing.queue_ms)")
    write(config, entry("B"), routing={"queue_ms": 5000})
    with kept(config) as relay:
        upstream(relay, "B").pool.rest(0, 100)
    assert "queue_ms" not in explained(run)["error"]


def test_a_key_that_is_set_aside_is_the_last_resort(run: Run, config: Path) -> None:
    write(config, entry("A", "a0", "a1"), entry("B"))
    with kept(config) as relay:
        for position in (0, 1):
            upstream(relay, "A").pool.set_aside(position, 1000)
        upstream(relay, "A").pool.rest(0, 1000)
    assert steps(explained(run), "provider", "key", "can_serve") == [
        ("A", "", False),
        ("B", "B/0", True),
    ]

    with kept(config) as relay:
        upstream(relay, "B").pool.rest(0, 1000)

    document = explained(run)
    assert steps(document, "key", "can_serve") == [("A/1", True), ("", False)]
    assert document["steps"][0]["note"].endswith("; tried as a last resort")
    assert run("route", "explain").exit_code == 0


def test_tokens_that_a_limit_counts_are_estimated(run: Run, config: Path, home: Path) -> None:
    limited = provider("A", NOWHERE, keys=[{"key": "k", "tpm_limit": 100}])
    write(config, limited)
    body = {"max_tokens": 7, "messages": [{"role": "user", "content": "word " * 4000}]}
    (home / "body.json").write_text(json.dumps(body))

    document = explained(run, "--body", "body.json")

    (step,) = document["steps"]
    assert step["output_tokens"] == 7
    assert 3000 < step["input_tokens"] == document["input_tokens"] < 8000
