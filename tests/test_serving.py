"""gunicorn's settings, made from the relay's own configuration."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config as GunicornConfig

from relay import serving

ROOT = Path(__file__).parents[1]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, object]]:
    """The settings for a `server:` section."""
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)})
    monkeypatch.chdir(tmp_path)

    def of(server: Mapping[str, Any] | None = None) -> dict[str, object]:
        provider = {"name": "p", "type": "anthropic"}
        whole = {
            "server": {"listen": "127.0.0.1:8787"} | dict(server or {}),
            "providers": [provider],
        }
        (tmp_path / "config.yaml").write_text(json.dumps(whole))
        return serving.settings()

    return of


Settings = Callable[..., dict[str, object]]


def test_the_numbers_belong_together(settings: Settings) -> None:
    made = settings()

    assert made["bind"] == ["127.0.0.1:8787"]
    assert made["worker_class"] == "gevent"
    assert made["graceful_timeout"] == 305
    assert made["keepalive"] == 75
    assert made["preload_app"] is False
    assert made["max_requests"] == 0
    assert made["accesslog"] is None
    assert made["proc_name"] == "cc-relay"


@pytest.mark.parametrize(("drain_ms", "seconds"), [(0, 305), (60_000, 305), (600_000, 605)])
def test_gunicorn_kills_only_after_a_drain_that_a_reload_may_have_raised(
    settings: Settings, drain_ms: int, seconds: int
) -> None:
    made = settings({"drain_ms": drain_ms})

    assert made["graceful_timeout"] == seconds
    assert seconds * 1000 > drain_ms


@pytest.mark.parametrize(
    ("asked", "cores", "made"), [(0, 1, 1), (0, 2, 2), (0, 64, 4), (0, None, 1), (7, 2, 7)]
)
def test_there_is_a_worker_a_core_and_four_at_most_unless_asked_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, asked: int, cores: int | None, made: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)

    assert settings({"workers": asked})["workers"] == made


def test_gunicorn_knows_every_setting_and_accepts_its_value(settings: Settings) -> None:
    known = GunicornConfig()

    for name, value in settings().items():
        known.set(name, value)

    assert known.address == [("127.0.0.1", 8787)]
    assert known.worker_class_str == "gevent"


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:8787", "localhost:9"])
def test_any_address_that_may_be_configured_is_bound(settings: Settings, listen: str) -> None:
    known = GunicornConfig()

    known.set("bind", settings({"listen": listen})["bind"])

    ((host, port),) = known.address
    assert f"{host}:{port}".replace("::1", "[::1]") == listen


def test_a_bad_configuration_ends_with_all_its_faults(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        settings({"listen": "nowhere", "workers": -1})

    assert raised.value.code == 1
    faults = capsys.readouterr().err.splitlines()
    assert [fault.partition(":")[0] for fault in faults] == ["server.listen", "server.workers"]


def test_overrides_of_the_command_line_hold(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"listen": "127.0.0.1:9999", "workers": 3}
    monkeypatch.setitem(os.environ, "CC_RELAY_OVERRIDES", json.dumps(given))

    made = settings()

    assert (made["bind"], made["workers"]) == (["127.0.0.1:9999"], 3)


def imported_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=30,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import relay.serving", "import relay"])
def test_the_master_loads_nothing_that_a_worker_must_patch_first(code: str) -> None:
    loaded = imported_by(code)

    assert "relay" in loaded
    assert not loaded & {"requests", "flask", "werkzeug", "gevent", "urllib3"}


def test_the_settings_file_of_the_repository_loads_as_little(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "server: {listen: '127.0.0.1:8787'}\nproviders: [{name: p, type: anthropic}]\n"
    )
    code = f"import os\nos.environ['CC_RELAY_CONFIG'] = {str(config)!r}\n"
    code += "import runpy\nmade = runpy.run_path('gunicorn.conf.py')\n"
    code += "assert made['bind'] == ['127.0.0.1:8787'], made"

    assert not imported_by(code) & {"requests", "flask", "werkzeug", "gevent", "urllib3"}
