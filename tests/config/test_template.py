"""The file that `config init` writes."""

import re

from relay.config.template import template
from relay.secret import Secret
from tests.config.conftest import Loading


def test_the_template_is_valid_with_the_variable_set_and_unset(loading: Loading) -> None:
    with_key = loading(template(), {"ANTHROPIC_API_KEY": "sk-x"})
    without = loading(template(), {})

    assert with_key.server.listen == without.server.listen == "127.0.0.1:8787"
    assert with_key.warnings == ()
    assert [key.key for key in with_key.providers[0].keys] == [Secret("sk-x")]
    assert [(p.name, p.type, p.keys) for p in without.providers] == [("anthropic", "anthropic", ())]


def test_everything_that_is_commented_out_is_valid_too(loading: Loading) -> None:
    text = re.sub(r"^( *)# (?=\s*(- |[a-z_]+:|claude-))", r"\1", template(), flags=re.MULTILINE)
    environ = dict.fromkeys(("ANTHROPIC_API_KEY", "ZAI_API_KEY", "CC_RELAY_API_KEY"), "x")

    config = loading(text, environ)

    assert [provider.type for provider in config.providers] == ["anthropic", "zai"]
    assert config.server.auth.api_key == Secret("x")
    assert config.routing.debug is True
    assert config.logging.format == "json"
    assert config.warnings == ()
