"""Putting the relay into Claude Code's settings, and taking it out, as values."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relay.cli.claude_settings import (
    DEFAULT_URL,
    TOKEN,
    URL,
    NotSettings,
    Remembered,
    Settings,
    has_relay,
    remember,
    settings_of,
    with_relay,
    without_relay,
)
from relay.cli.exact_json import Json
from relay.clients.credential import PLACEHOLDER

OTHER = "http://127.0.0.1:9999"

values = st.sampled_from(["", "x", DEFAULT_URL, OTHER, PLACEHOLDER, None, True])
environments = st.dictionaries(st.sampled_from([URL, TOKEN, "A", "B"]), values, min_size=1)
documents = st.dictionaries(st.sampled_from(["model", "hooks", "z"]), values).flatmap(
    lambda rest: st.builds(lambda env: {**rest, "env": env}, environments) | st.just(rest)
)
urls = st.sampled_from([DEFAULT_URL, OTHER])


def _in_order(settings: Settings) -> str:
    return json.dumps(settings)


@given(documents, urls)
def test_remove_after_init_restores_the_settings(settings: Settings, url: str) -> None:
    assume(not has_relay(settings))  # then the mark, and the URL beside it, count as ours
    remembered = remember(settings, url, None)

    outside = without_relay(with_relay(settings, url), remembered, {DEFAULT_URL})

    assert _in_order(outside) == _in_order(settings)


@given(documents, st.lists(urls, min_size=1, max_size=4))
def test_any_number_of_inits_is_undone_by_one_remove(settings: Settings, chosen: list[str]) -> None:
    once = without_relay(
        with_relay(settings, chosen[0]), remember(settings, chosen[0], None), {DEFAULT_URL}
    )
    remembered: Remembered | None = None
    current = settings
    for url in chosen:
        remembered = remember(current, url, remembered)
        current = with_relay(current, url)

    assert without_relay(current, remembered, {DEFAULT_URL}) == once


@given(documents, urls)
def test_init_twice_changes_nothing_the_second_time(settings: Settings, url: str) -> None:
    once = with_relay(settings, url)

    assert _in_order(with_relay(once, url)) == _in_order(once)


def test_everything_else_keeps_its_value_and_its_order() -> None:
    settings: Settings = {"z": True, "env": {"B": "b", URL: "u", "A": "a"}, "model": "m"}

    assert _in_order(with_relay(settings, OTHER)) == _in_order(
        {"z": True, "env": {"B": "b", URL: OTHER, "A": "a", TOKEN: PLACEHOLDER}, "model": "m"}
    )


@given(documents)
def test_remove_alone_takes_nothing_but_the_placeholder_and_the_known_urls(
    settings: Settings,
) -> None:
    outside = without_relay(settings, None, {DEFAULT_URL})

    env = settings.get("env", {})
    assert isinstance(env, dict)
    left = {
        name: value
        for name, value in env.items()
        if (name, value) not in {(URL, DEFAULT_URL), (TOKEN, PLACEHOLDER)}
    }
    assert outside.get("env", {}) == left
    assert {k: v for k, v in outside.items() if k != "env"} == {
        k: v for k, v in settings.items() if k != "env"
    }


def test_a_url_the_user_set_after_init_stays_and_so_does_their_token() -> None:
    remembered = remember({}, DEFAULT_URL, None)
    theirs: Settings = {"env": {URL: "https://gateway.example", TOKEN: "their-token"}}

    assert without_relay(theirs, remembered, {DEFAULT_URL}) == theirs


def test_a_value_the_user_set_between_two_inits_is_what_comes_back() -> None:
    first = remember({"env": {TOKEN: "old"}}, DEFAULT_URL, None)
    edited: Settings = {"env": {URL: "https://gateway.example", TOKEN: "new"}}

    second = remember(edited, OTHER, first)

    assert without_relay(with_relay(edited, OTHER), second, {DEFAULT_URL}) == edited


def test_a_slash_at_the_end_makes_no_other_url() -> None:
    inside: Settings = {"env": {URL: DEFAULT_URL + "/", TOKEN: PLACEHOLDER}}

    assert without_relay(inside, None, {DEFAULT_URL}) == {}


@pytest.mark.parametrize("document", [None, [], "text", {"env": None}, {"env": []}])
def test_what_has_not_the_shape_of_settings_is_refused(document: Json) -> None:
    with pytest.raises(NotSettings):
        settings_of(document)
