"""What a request is expected to take (behaviour 9.3, *Reserve*)."""

import pytest

from relay.limits.expected import FIRST_OUTPUT, Outputs, cached_share
from relay.messages.usage import Usage


@pytest.mark.parametrize(("max_tokens", "expected"), [(None, 1024), (5000, 1024), (5, 5), (0, 0)])
def test_while_no_answer_was_seen_it_is_1024_or_what_the_request_allows(
    max_tokens: int | None, expected: int
) -> None:
    assert Outputs().expected("p", "m", max_tokens) == expected
    assert FIRST_OUTPUT == 1024


@pytest.mark.parametrize(("max_tokens", "expected"), [(None, 600), (5000, 600), (5, 5)])
def test_then_it_is_twice_the_average_or_what_the_request_allows(
    max_tokens: int | None, expected: int
) -> None:
    outputs = Outputs()
    for _ in range(5):
        outputs.seen("p", "m", 300)

    assert outputs.expected("p", "m", max_tokens) == expected


def test_providers_and_models_are_told_apart() -> None:
    outputs = Outputs()
    outputs.seen("p", "m", 300)

    assert outputs.expected("p", "n", None) == outputs.expected("q", "m", None) == FIRST_OUTPUT


def test_the_average_is_of_recent_answers() -> None:
    outputs = Outputs()
    for tokens in [10_000] * 20 + [100] * 40:
        outputs.seen("p", "m", tokens)

    assert 200 <= outputs.expected("p", "m", None) < 220


def test_one_long_answer_does_not_make_the_average() -> None:
    outputs = Outputs()
    for tokens in [100] * 20 + [10_000]:
        outputs.seen("p", "m", tokens)

    assert outputs.expected("p", "m", None) < 5000


def test_answers_of_nearly_nothing_are_expected_to_be_of_a_token_at_least() -> None:
    outputs = Outputs()
    outputs.seen("p", "m", 0)

    assert outputs.expected("p", "m", None) == 1


def test_names_that_clients_make_up_do_not_pile_up_and_push_out_no_busy_one() -> None:
    outputs = Outputs()
    for number in range(5000):
        outputs.seen("p", "busy", 10)
        outputs.seen("p", f"m{number}", 300)

    assert outputs.expected("p", "busy", None) == 20
    assert outputs.expected("p", "m0", None) == FIRST_OUTPUT
    assert outputs.expected("p", "m4999", None) == 600


@pytest.mark.parametrize(
    ("usage", "share"),
    [
        (Usage(), 0),
        (Usage(input_tokens=10), 0),
        (Usage(cache_read=10), 1),
        (Usage(input_tokens=10, cache_write=10, cache_read=60, output_tokens=999), 0.75),
    ],
)
def test_the_cached_share_is_that_of_all_input(usage: Usage, share: float) -> None:
    assert cached_share(usage) == share
