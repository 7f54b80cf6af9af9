"""The example of `docs/writing-a-provider.md`, taken out of the page and put to work."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from relay.config.loading import load
from relay.exchange.inbound import Inbound, read
from relay.exchange.outbound import Credential, outbound
from relay.exchange.upstream import Upstream
from relay.keys.lease import Lease
from relay.keys.pool import KeyPool
from relay.keys.standing import Standing
from relay.limits.kinds import A_REQUEST
from relay.providers.provider import Provider
from relay.secret import Secret
from relay.state.memory import MemoryStore
from relay.upstream.client import Client as HttpClient
from relay.wire import UpstreamRequest
from tests.docs.markdown import blocks, named

KEY: Final = "made-up-key-of-acme"
BODY: Final = b'{ "model":"claude-x", "n": 9007199254740993, "messages": [] }'


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Provider:
    """An instance of the page's class."""
    (block,) = (each for each in blocks("python") if named(each.path).endswith("a-provider.md"))
    path = tmp_path_factory.mktemp("acme") / "acme.py"
    path.write_text(block.text, "utf-8")
    spec = importlib.util.spec_from_file_location("acme", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    provider = module.Acme()
    assert isinstance(provider, Provider)
    return provider


@pytest.fixture
def upstream(acme: Provider, tmp_path: Path) -> Upstream:
    """An entry of `providers:` served by the page's class."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "server: {listen: '127.0.0.1:8787'}\n"
        "providers: [{name: a, type: anthropic, base_url: 'http://127.0.0.1:9', auth: configured,"
        f" keys: [{{key: {KEY}}}], model_mapping: {{claude-x: acme-large}}}}]\n",
        "utf-8",
    )
    config = load(path, {"HOME": str(tmp_path)}).providers[0]
    pool = KeyPool(config, store=MemoryStore())
    http = HttpClient(proxy=config.proxy, ca_file=config.ca_file)
    return Upstream.of(config, acme, pool, http)


def test_a_request_goes_out_in_the_dialect_of_the_page(upstream: Upstream) -> None:
    request = _attempt(upstream, model="claude-x")

    assert request.url == "http://127.0.0.1:9/llm/v1/messages?beta=true"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-acme-client"] == "cc-relay"
    assert request.headers["anthropic-beta"] == "a,b"
    assert request.body == BODY.replace(b'"claude-x"', b'"acme-large"')


def test_the_key_is_in_no_other_place_than_its_header(upstream: Upstream) -> None:
    request = _attempt(upstream, model="claude-x")

    others = replace(request, headers={**request.headers, "authorization": ""})
    assert KEY not in repr(others)
    assert "x-api-key" not in request.headers


def test_a_body_that_needs_no_change_is_not_touched(upstream: Upstream) -> None:
    request = _attempt(upstream, model="")

    assert request.body == BODY


def test_a_credential_of_the_clients_own_survives(upstream: Upstream) -> None:
    own = Credential(None, {"authorization": "Bearer made-up-own"})

    request = outbound(_asked(), upstream, own, "claude-x").request

    assert request.headers["authorization"] == "Bearer made-up-own"


def test_the_page_lists_the_hooks_there_are() -> None:
    hooks = {name for name, value in vars(Provider).items() if callable(value)}

    (page,) = {each.path for each in blocks("python") if named(each.path).endswith("provider.md")}

    text = page.read_text("utf-8")
    assert hooks == {"url", "headers", "body", "authorize"}
    assert [hook for hook in hooks if f"| `{hook}(" not in text] == []


def _attempt(upstream: Upstream, *, model: str) -> UpstreamRequest:
    lease = upstream.pool.lease(Standing(0, {}), A_REQUEST)
    assert isinstance(lease, Lease)
    assert lease.key.key == Secret(KEY)
    return outbound(_asked(), upstream, Credential(lease), model).request


def _asked() -> Inbound:
    return read(
        method="POST",
        path="/v1/messages",
        query="beta=true",
        headers={"anthropic-beta": "a,b", "authorization": "Bearer of-the-client"},
        body=BODY,
        request_id="r",
        names_itself=False,
    )
