"""The deployment files fit the relay's own numbers, and name files that are there."""

import re
from typing import Any, Final

import pytest
import yaml

from relay import serving
from relay.config.loading import load
from relay.config.model import Config
from relay.web import draining
from tests.docs.markdown import ROOT

DEPLOY: Final = ROOT / "deploy"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The defaults: what the numbers in `deploy/` stand beside."""
    path = tmp_path_factory.mktemp("defaults") / "config.yaml"
    path.write_text(
        "server: {listen: '127.0.0.1:8787'}\nproviders: [{name: a, type: anthropic}]\n", "utf-8"
    )
    return load(path, {"HOME": str(path.parent)})


@pytest.fixture(scope="module")
def compose() -> Any:
    """The one service of the compose file."""
    return yaml.safe_load(_text("deploy/compose.yaml"))["services"]["relay"]


def test_supervisors_wait_longer_than_the_relay_drains(config: Config, compose: Any) -> None:
    longest_s = config.server.drain_ms / 1000 + draining.AFTER_DRAIN_S

    unit = _text("deploy/cc-relay.service")
    systemd_s = int(_only(r"^TimeoutStopSec=(\d+)$", unit))
    compose_s = int(compose["stop_grace_period"].removesuffix("s"))

    assert systemd_s > longest_s
    assert compose_s > longest_s


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("nginx.conf", r"^ +proxy_read_timeout (\d+)s;"),
        ("Caddyfile", r"^\t+response_header_timeout (\d+)s$"),
    ],
)
def test_a_proxy_waits_longer_than_the_relay(config: Config, name: str, pattern: str) -> None:
    proxy_s = int(_only(pattern, _text(f"deploy/{name}")))

    assert proxy_s * 1000 > config.server.timeout_ms


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("nginx.conf", r"^    keepalive_timeout (\d+)s; +# the relay"),
        ("Caddyfile", r"^\t+keepalive (\d+)s$"),
    ],
)
def test_a_proxy_closes_idle_connections_before_the_relay(
    config: Config, name: str, pattern: str
) -> None:
    keepalive_s = serving.of(config)["keepalive"]
    assert isinstance(keepalive_s, int)

    proxy_s = int(_only(pattern, _text(f"deploy/{name}")))

    assert proxy_s < keepalive_s


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("nginx.conf", r"^ +client_max_body_size (\d+)m;"),
        ("Caddyfile", r"^\t+max_size (\d+)MiB$"),
    ],
)
def test_a_proxy_leaves_the_judgement_of_a_body_to_the_relay(
    config: Config, name: str, pattern: str
) -> None:
    text = _text(f"deploy/{name}")
    proxy_mib = int(_only(pattern, text))

    assert proxy_mib << 20 > config.server.max_body_bytes
    assert f"exceeds the limit of {proxy_mib} MiB" in text


def test_a_client_that_left_is_told_to_the_relay() -> None:
    nginx = _text("deploy/nginx.conf")
    caddy = _text("deploy/Caddyfile")

    assert _only(r"^ +proxy_ignore_client_abort (\w+);", nginx) == "off"
    assert not re.search(r"^\s*flush_interval", caddy, re.MULTILINE)


def test_nginx_never_repeats_a_message_that_was_sent() -> None:
    nginx = _text("deploy/nginx.conf")

    assert _only(r"^ +proxy_next_upstream ([^;]+);", nginx) == "error"


def test_the_container_image_copies_only_what_is_there() -> None:
    dockerfile = _text("deploy/Dockerfile")
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for name in line.split()[:-1]
    }
    kept = {
        line.removeprefix("!")
        for line in _text("deploy/Dockerfile.dockerignore").splitlines()
        if line.startswith("!")
    }

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert copied == kept


def test_the_compose_file_hands_over_what_its_configuration_reads(compose: Any) -> None:
    example = _text("examples/container.yaml")

    read = set(re.findall(r"/run/secrets/(\w+)", example))

    assert read == set(compose["secrets"])
    assert (DEPLOY / compose["build"]["context"] / compose["build"]["dockerfile"]).is_file()


def test_files_of_the_deployment_page_are_there() -> None:
    named = re.findall(r"(?<![\w/.])((?:deploy|examples)/[\w.-]+)", _text("docs/deployment.md"))

    assert "deploy/nginx.conf" in named
    assert [name for name in named if not (ROOT / name).exists()] == []


def _only(pattern: str, text: str) -> str:
    found = re.findall(pattern, text, re.MULTILINE)
    assert len(found) == 1, f"{pattern}: {found}"
    return str(found[0])


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")
