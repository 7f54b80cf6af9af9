"""`state.url` chooses the store, and nothing is touched before it is asked."""

import subprocess
import sys
from pathlib import Path

import pytest

from relay.secret import Secret
from relay.state.opening import open_store


def test_the_embedded_store_lies_where_it_is_told(tmp_path: Path) -> None:
    for url, folder in (("lmdb:", tmp_path / "a"), (f"lmdb:{tmp_path / 'b'}", tmp_path / "b")):
        store = open_store(Secret(url), tmp_path / "a")
        assert not folder.exists()

        assert [store.count("turn"), store.count("turn")] == [0, 1]

        assert list(folder.iterdir())
        store.close()
    assert open_store(Secret("lmdb:"), tmp_path / "a").count("turn") == 2


def test_memory_is_forgotten_with_the_store(tmp_path: Path) -> None:
    url = Secret("memory:")

    assert [open_store(url, tmp_path).count("turn") for _ in range(2)] == [0, 0]
    assert list(tmp_path.iterdir()) == []


def test_another_url_is_refused_without_being_quoted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must be lmdb:") as refused:
        open_store(Secret("postgres://user:hunter2@host"), tmp_path)

    assert "hunter2" not in str(refused.value)


def test_what_one_kind_needs_is_not_loaded_for_another() -> None:
    program = """
import sys
from pathlib import Path
from relay.secret import Secret
from relay.state.opening import open_store
open_store(Secret("memory:"), Path("/nowhere"))
assert not {"lmdb", "redis"} & set(sys.modules), "loaded"
sys.modules["redis"] = None
try:
    open_store(Secret("redis://127.0.0.1:1/"), Path("/nowhere"))
except ModuleNotFoundError as missing:
    assert "cc-relay[redis]" in str(missing)
else:
    raise SystemExit("no error")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
