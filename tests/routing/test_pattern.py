"""An exact name, or a prefix followed by `*`."""

import pytest

from relay.routing.pattern import any_fits, fits


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("claude-x", "claude-x", True),
        ("claude-x", "claude-xy", False),
        ("claude-x", "Claude-x", False),
        ("claude-*", "claude-x", True),
        ("claude-*", "claude-", True),
        ("claude-*", "claude", False),
        ("*", "", True),
        ("*", "anything", True),
        ("a*c", "abc", False),
        ("a*c", "a*c", True),
        ("", "", True),
    ],
)
def test_a_star_stands_for_whatever_follows_and_only_at_the_end(
    pattern: str, name: str, expected: object
) -> None:
    assert fits(pattern, name) is expected


def test_one_of_several_is_enough() -> None:
    assert any_fits(("x", "claude-*"), "claude-y")
    assert not any_fits(("x", "y"), "claude-y")
    assert not any_fits((), "claude-y")
