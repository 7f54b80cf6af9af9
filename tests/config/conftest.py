"""Load texts as configuration files, in a folder of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

from relay.config.loading import ConfigRefused, load
from relay.config.model import Config


class Loading(Protocol):
    """Load a text; the variables come as a mapping."""

    def __call__(
        self, text: str, environ: Mapping[str, str] | None = None, name: str = "config.yaml"
    ) -> Config: ...


class Refusing(Protocol):
    """The faults of a text that must be refused."""

    def __call__(
        self, text: str, environ: Mapping[str, str] | None = None, name: str = "config.yaml"
    ) -> tuple[str, ...]: ...


@pytest.fixture
def loading(tmp_path: Path) -> Loading:
    def _load(
        text: str, environ: Mapping[str, str] | None = None, name: str = "config.yaml"
    ) -> Config:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return load(path, environ or {})

    return _load


@pytest.fixture
def refusing(loading: Loading) -> Refusing:
    def _refuse(
        text: str, environ: Mapping[str, str] | None = None, name: str = "config.yaml"
    ) -> tuple[str, ...]:
        with pytest.raises(ConfigRefused) as caught:
            loading(text, environ, name)
        return caught.value.faults

    return _refuse
