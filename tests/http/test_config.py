"""Configuration files as a whole relay meets them (A.14: 100 to 103)."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.http.conftest import StartRelay
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.relay import ROOT, Relay
from tests.scripted.upstream import Upstream

LISTEN = "server: {listen: '127.0.0.1:{port}', workers: 1}\n"


def _refused(folder: Path, text: str, name: str = "config.yaml") -> str:
    """What gunicorn says about a configuration it does not serve; it ends with 1."""
    path = folder / name
    path.write_text(text.replace("{port}", "0"))
    environ = os.environ | {
        "CC_RELAY_CONFIG": str(path),
        "CC_RELAY_STATE_DIR": str(folder / "state"),
    }
    started = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-k", "gevent", "wsgi:app"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    try:
        said, _ = started.communicate(timeout=15)
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
            started.communicate()
    assert started.returncode == 1, said
    assert "Traceback" not in said
    return said


def test_variables_stand_for_keys_and_urls(
    start_relay: StartRelay, plain_upstream: Upstream
) -> None:
    entry = provider("p", "$BASE/x", "${K}", type="zai")
    environ = {"K": "from-the-environment", "BASE": plain_upstream.url, "LIMIT": "100"}
    settings = config(entry, server={"max_body_bytes": "${LIMIT}"})
    relay = start_relay(settings, workers=1, environ=environ)
    assert relay.post().status == 200
    assert plain_upstream.only().header("x-api-key") == "from-the-environment"
    assert plain_upstream.only().path == "/x/v1/messages"
    assert relay.post(b"x" * 101).status == 413


@pytest.mark.parametrize("key", ["a$b", "a${K}b$K", "a'b\"c:d #e", "- [x]: {y}", "%s\\n$$"])
def test_a_value_of_a_variable_is_used_as_it_is(
    start_relay: StartRelay, plain_upstream: Upstream, key: str
) -> None:
    entry = provider("p", plain_upstream, "${K}")
    relay = start_relay(config(entry), workers=1, environ={"K": key})
    assert relay.post().status == 200
    assert plain_upstream.only().header("x-api-key") == key


def test_a_value_with_a_newline_does_not_break_the_file(
    start_relay: StartRelay, plain_upstream: Upstream
) -> None:
    server = {"auth": {"api_key": "${K}"}}
    settings = config(provider("p", plain_upstream, "k1"), server=server)
    environ = {"K": 'quote"\nnew: line\n  - $x'}
    relay = start_relay(settings, workers=1, environ=environ)
    assert relay.post().status == 401


def test_defaults_files_and_dollars(
    start_relay: StartRelay, plain_upstream: Upstream, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    settings = config(
        provider("p", plain_upstream, f"${{file:{tmp_path}/key}}", models=["${M:-claude-default}"]),
        server={"auth": {"api_key": "cost: 5$$ or $5"}},
    )
    relay = start_relay(settings, workers=1)
    admitted = {"x-api-key": "cost: 5$ or $5"}
    assert relay.post(headers=admitted).status == 200
    assert plain_upstream.only().header("x-api-key") == "from-a-file"
    listed = relay.get("/v1/models", admitted).json()["data"]
    assert [entry["id"] for entry in listed] == ["claude-default"]


def test_an_unset_key_is_named_where_one_is_needed(tmp_path: Path) -> None:
    said = _refused(
        tmp_path, LISTEN + "providers: [{name: z, type: zai, keys: [{key: '${NO_SUCH_KEY}'}]}]"
    )
    assert "providers[0].keys[0].key is required" in said
    assert "NO_SUCH_KEY" in said


def test_an_unset_key_is_fine_for_anthropic(
    start_relay: StartRelay, plain_upstream: Upstream
) -> None:
    relay = start_relay(config(provider("p", plain_upstream, "${NO_SUCH_KEY}")), workers=1)
    assert relay.post().status == 200
    assert plain_upstream.only().header("x-api-key") is None
    assert plain_upstream.only().header("authorization") is None


@pytest.mark.parametrize("name", ["config.yaml", "config.yml", "config.toml", "CONFIG.YML"])
def test_the_same_content_in_every_format(
    plain_upstream: Upstream, tmp_path: Path, name: str
) -> None:
    if name.endswith(".toml"):
        text = (
            '[server]\nlisten = "127.0.0.1:{port}"\nworkers = 1\n[server.auth]\napi_key = "s"\n'
            f'[[providers]]\nname = "p"\ntype = "anthropic"\nbase_url = "{plain_upstream.url}"\n'
            'model_mapping = { claude-x = "m1" }\n[[providers.keys]]\nkey = "${K}"\n'
        )
    else:
        settings = config(
            provider("p", plain_upstream, "${K}", model_mapping={"claude-x": "m1"}),
            server={"listen": "127.0.0.1:{port}", "workers": 1, "auth": {"api_key": "s"}},
        )
        text = json.dumps(settings)  # JSON is YAML
    with Relay(
        tmp_path, {}, workers=1, environ={"K": "k1"}, file_name=name, template=text
    ) as relay:
        assert relay.post().status == 401
        assert relay.post(headers={"x-api-key": "s"}).status == 200
    assert plain_upstream.only().header("x-api-key") == "k1"
    assert plain_upstream.only().body == MSG.replace(b"claude-x", b"m1")


def test_another_format_is_refused(tmp_path: Path) -> None:
    said = _refused(tmp_path, "{}", "config.json")
    assert "unsupported config format" in said
    assert "(supported: .yaml, .yml, .toml)" in said


def test_all_faults_are_told_at_once_each_with_its_path(tmp_path: Path) -> None:
    said = _refused(
        tmp_path,
        LISTEN.replace("workers: 1", "max_body_bytes: -1")
        + "routing: {strategi: failover}\n"
        + "providers:\n  - {name: a, type: anthropic, keys: [{key: SECRETKEY, rpm_limit: -5}]}\n",
    )
    assert "server.max_body_bytes: -1" in said
    assert "providers[0].keys[0].rpm_limit: -5" in said
    assert "strategi" in said
    assert "strategy" in said
    assert "SECRETKEY" not in said


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("providers: [{name: a, type: anthropic, enabled: false}]", "no enabled provider found"),
        ("providers: []", "no enabled provider found"),
        (
            "providers: [{name: a, type: anthropic}, {name: a, type: zai, keys: [{key: k}]}]",
            "duplicate provider name: a",
        ),
        ("providers: [{name: a, type: made-up}]", "providers[0].type"),
        ("providers: [{type: anthropic}]", "providers[0].name is required"),
        ("providers: [{name: a, type: zai}]", "providers[0].keys"),
        ("providers: [{name: a, type: anthropic, base_url: 'ftp://x'}]", "providers[0].base_url"),
        ("providers: [{name: a, type: anthropic}]\nproviders: []", '"providers"'),
        ("providers: [", "config.yaml"),
    ],
)
def test_a_faulty_file_is_not_served(tmp_path: Path, text: str, fault: str) -> None:
    assert fault.lower() in _refused(tmp_path, LISTEN + text).lower()


@pytest.mark.parametrize(
    ("server", "fault"),
    [
        ("{workers: 1}", "server.listen is required"),
        ("{listen: '127.0.0.1'}", "server.listen"),
        ("{listen: '127.0.0.1:70000'}", "server.listen"),
        ("{listen: '0.0.0.0:0'}", "server.listen"),
        ("{listen: ':0', auth: {bearer_secret: s}}", "server.listen"),
    ],
)
def test_a_listener_for_everybody_needs_authentication(
    tmp_path: Path, server: str, fault: str
) -> None:
    text = f"server: {server}\nproviders: [{{name: a, type: anthropic}}]\n"
    assert fault in _refused(tmp_path, text)


def test_a_file_of_the_go_relay_is_served_with_warnings(
    plain_upstream: Upstream, tmp_path: Path
) -> None:
    text = f"""
server: {{listen: "127.0.0.1:{{port}}", api_key: "s", workers: 1, enable_http2: true}}
cache: {{mode: single, ristretto: {{num_counters: 1}}, olric: {{embedded: true}}}}
grpc: {{listen: "127.0.0.1:9091", web_listen: ""}}
routing: {{strategy: failover, failover: {{x: 1}}}}
health:
  check_interval_seconds: 5
  circuit_breaker: {{triggers: [], recovery_timeout_seconds: 1}}
logging: {{level: info, format: json}}
providers:
  - name: p
    type: anthropic
    base_url: "{plain_upstream.url}"
    keys: [{{key: k1, rpm_limit: 50}}]
"""
    with Relay(tmp_path, {}, workers=1, template=text) as relay:
        assert relay.post(headers={"x-api-key": "s"}).status == 200
        warned = [record for record in relay.records() if record["level"] == "warn"]
    for setting in ("cache", "server.enable_http2", "routing.failover", "grpc.web_listen"):
        assert [record for record in warned if setting in str(record)], setting
