"""The model name an upstream gets."""

import pytest

from relay.routing.rename import renamed

MAPPING = {
    "claude-x": "exact",
    "claude-*": "prefix",
    "claude-opus-*": "longer prefix",
    "exact": "never reached twice",
    "Case": "upper",
}


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("claude-x", "exact"),
        ("claude-y", "prefix"),
        ("claude-", "prefix"),
        ("claude-opus-5", "longer prefix"),
        ("claude-xy", "prefix"),
        ("Case", "upper"),
        ("case", "case"),
        ("other", "other"),
        ("claude-*", "prefix"),
    ],
)
def test_an_exact_name_wins_then_the_longest_prefix_else_the_name_stays(
    model: str, sent: str
) -> None:
    assert renamed(model, MAPPING) == sent


def test_a_lone_star_fits_every_model() -> None:
    assert renamed("anything", {"*": "m", "any*": "n"}) == "n"
    assert renamed("other", {"*": "m", "any*": "n"}) == "m"


def test_without_a_mapping_the_name_stays() -> None:
    assert renamed("m", {}) == "m"
