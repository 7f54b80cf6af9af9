"""Files that are replaced as a whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from relay.cli.replace_file import make_folder, replace_file


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    replace_file(tmp_path / "new", b"content")

    assert (tmp_path / "new").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_a_reader_that_has_the_old_file_open_keeps_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o604)

    with path.open("rb") as reader:
        replace_file(path, b"new")
        assert reader.read() == b"old"

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_mode_that_is_asked_for_wins_over_that_of_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o644)

    replace_file(path, b"", mode=0o600)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_owner_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o600)
    # Only root may give a file to anybody; others to a group of their own.
    owner = (12345, 12346) if os.geteuid() == 0 else (os.getuid(), os.getgroups()[-1])
    os.chown(path, *owner)

    replace_file(path, b"new")

    assert (path.stat().st_uid, path.stat().st_gid) == owner


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")

    replace_file(tmp_path / "link", b"new")

    assert (tmp_path / "link").readlink() == Path("target")
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    with pytest.raises(IsADirectoryError):
        replace_file(folder, b"new")
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "missing" / "file", b"new")

    assert list(tmp_path.iterdir()) == [folder]


def test_missing_folders_are_their_owners_alone_and_others_keep_their_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")

    modes = [stat.S_IMODE(p.stat().st_mode) for p in (tmp_path, tmp_path / "a", tmp_path / "a/b")]
    assert modes == [0o755, 0o700, 0o700]
