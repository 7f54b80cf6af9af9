"""What a store needs, told before anything is started."""

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from relay.config.loading import ConfigRefused
from tests.config.conftest import Loading
from tests.config.files import a_file

REDIS = 'state: {url: "redis://:pw@host"}'


def test_a_redis_needs_its_extra(loading: Loading, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loading(a_file(more=REDIS)).state.url.reveal() == "redis://:pw@host"
    found = importlib.util.find_spec

    def without_redis(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "redis" else found(name, package)

    monkeypatch.setattr("relay.config.checking.state.find_spec", without_redis)

    with pytest.raises(ConfigRefused) as refused:
        loading(a_file(more=REDIS))

    assert refused.value.faults == (
        "state.url: names a Redis, which needs an extra: pip install 'cc-relay[redis]'",
    )
    assert loading(a_file()).state.url.reveal() == "lmdb:"
