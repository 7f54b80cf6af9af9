"""`route explain`: what a request says of itself decides: scenario, session, credential."""

import json
from pathlib import Path

import pytest

from relay.exchange import sessions, signatures
from relay.exchange.sessions import Whereabouts
from relay.keys.member import members
from relay.messages import edit
from relay.messages.thinking import digests
from tests.cli.conftest import Run
from tests.cli.explaining import NOWHERE, entry, explained, steps
from tests.cli.kept import kept, upstream, write
from tests.scripted import histories
from tests.scripted.config import provider
from tests.scripted.histories import ASKS_ON, TEXT, USER, assistant, thinking


def test_a_scenario_is_named_and_narrows(run: Run, config: Path) -> None:
    use = {"model": "small", "providers": ["B"]}
    rules = [{"name": "theirs", "when": {"client": ["ann"]}, "use": use}]
    write(config, entry("A"), entry("B"), scenarios=rules)

    document = explained(run, "--model", "claude-x", "--client", "ann")

    assert (document["scenario"], document["model"]) == ("theirs", "small")
    assert steps(document, "provider", "model") == [("B", "small")]
    assert document["excluded"] == [
        {"provider": "A", "reason": "the scenario names others"},
    ]
    assert explained(run, "--client", "bob")["scenario"] == ""
    assert "scenario   theirs" in run("route", "explain", "--client", "ann").stdout


def test_thinking_in_the_body_leads_to_who_issued_it(run: Run, config: Path, home: Path) -> None:
    write(config, entry("A"), entry("B"), entry("C"), routing={"strategy": "round_robin"})
    body = histories.request(USER, assistant(thinking(histories.signature()), TEXT), ASKS_ON)
    (home / "body.json").write_bytes(body)
    found = edit.members(body)
    assert found is not None
    with kept(config) as relay:
        issuer = ("C", upstream(relay, "C").family)
        store, settings = relay.means.lasting.store, relay.config.routing.signatures
        signatures.remember(store, digests(found), issuer, settings)

    document = explained(run, "--body", "body.json")

    assert document["by_affinity"] is True
    assert [name for (name,) in steps(document, "provider")] == ["C", "A", "B"]
    assert "affinity   the first one" in run("route", "explain", "--body", "body.json").stdout


def test_a_session_goes_where_its_cache_is_and_to_the_key_that_holds_it(
    run: Run, config: Path
) -> None:
    write(
        config,
        entry("A"),
        entry("B", "b0", "b1", "b2"),
        entry("C"),
        routing={"strategy": "cache_affinity"},
    )
    with kept(config) as relay:
        digest = members(upstream(relay, "B").config)[2].digest
        sessions.went(relay.means.lasting.store, "s-1", Whereabouts("B", digest), 600)

    assert steps(explained(run, "--session", "s-1"), "provider", "key")[0] == ("B", "B/2")
    header = ("--header", "X-Claude-Code-Session-Id=s-1")
    assert steps(explained(run, *header), "provider", "key")[0] == ("B", "B/2")
    with kept(config) as relay:
        upstream(relay, "B").pool.rest(2, 100)
    assert steps(explained(run, "--session", "s-1"), "provider", "key")[0] == ("B", "B/0")


def test_a_credential_of_the_client_s_takes_the_place_of_a_key_at_one_host_alone(
    run: Run, config: Path
) -> None:
    write(
        config,
        provider("A", NOWHERE, "ka"),
        provider("B", "http://localhost:9", "kb"),
        provider("C", "http://localhost:10"),
        provider("D", NOWHERE),
    )

    document = explained(run, "--header", "Authorization=Bearer SECRET-own")

    assert steps(document, "provider", "key", "can_serve", "note") == [
        ("A", "", True, "the client's own credential"),
        ("B", "B/0", True, ""),
        ("C", "", False, "the client's own credential goes to 127.0.0.1:9 alone"),
        ("D", "", True, "the client's own credential"),
    ]
    assert "SECRET" not in json.dumps(document)


def test_passthrough_never_takes_a_key_of_ours(run: Run, config: Path) -> None:
    write(config, provider("A", NOWHERE, "ka", auth="passthrough"), provider("B", NOWHERE))

    document = explained(run)

    assert steps(document, "key", "note") == [("", "no credential")] * 2


@pytest.mark.parametrize(
    "header", ["x-api-key=managed-by-cc-relay", "Authorization=Bearer managed-by-cc-relay"]
)
def test_the_placeholder_is_no_credential(run: Run, config: Path, header: str) -> None:
    write(config, entry("A"))

    assert steps(explained(run, "--header", header), "key") == [("A/0",)]


def test_a_secret_of_the_relay_is_no_credential_and_a_wrong_one_is_refused(
    run: Run, config: Path
) -> None:
    write(config, entry("A"), server={"auth": {"api_key": "SECRET-relay"}})

    assert steps(explained(run, "--header", "x-api-key=SECRET-relay"), "key") == [("A/0",)]
    assert steps(explained(run), "key") == [("A/0",)]
    refused = run("route", "explain", "--header", "x-api-key=SECRET-other")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "401 authentication_error: invalid x-api-key\n"


def test_a_stranger_is_offered_only_what_takes_their_own_credential(run: Run, config: Path) -> None:
    auth = {"allow_bearer": True, "any_bearer_uses_keys": False}
    z = provider("Z", NOWHERE, "kz", type="zai")
    write(config, z, entry("A"), server={"auth": auth})

    document = explained(run, "--header", "Authorization=Bearer theirs")

    assert steps(document, "provider", "note") == [("A", "the client's own credential")]
    assert document["excluded"] == [{"provider": "Z", "reason": "this client may not use it"}]

    write(config, z, server={"auth": auth})
    nobody = run("route", "explain", "--header", "Authorization=Bearer theirs")
    assert nobody.exit_code == 1
    assert "403 permission_error: this client may use none" in nobody.stdout
    assert "  Z: this client may not use it" in nobody.stdout


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ('{"model":"m","max_tokens":1}', "m"),
        ("{}", ""),
        (' {"model" : 7}', ""),
    ],
)
def test_the_model_is_that_of_the_body_unless_another_is_named(
    run: Run, config: Path, home: Path, body: str, sent: str
) -> None:
    write(config, entry("A"))
    (home / "body.json").write_text(body)

    assert steps(explained(run, "--body", "body.json"), "model") == [(sent,)]
    named = explained(run, "--body", "body.json", "--model", "claude-x")
    assert (named["model"], steps(named, "model")) == ("claude-x", [("claude-x",)])


def test_no_model_is_put_in_the_place_of_two(run: Run, config: Path, home: Path) -> None:
    write(config, entry("A"))
    (home / "body.json").write_text('{"model":"a","model":"b"}')

    assert steps(explained(run, "--body", "body.json"), "model") == [("",)]
    refused = run("route", "explain", "--body", "body.json", "--model", "claude-x")
    assert refused.exit_code == 2
    assert "names its model twice" in refused.stderr
