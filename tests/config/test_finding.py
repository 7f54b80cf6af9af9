"""Finding: where the file is looked for, and its listen address whatever else is wrong."""

from pathlib import Path

import pytest

from relay.config.loading import ConfigRefused, find, listen_of, load


def test_a_named_file_is_taken_before_the_variable_and_the_usual_places(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("")
    environ = {"CC_RELAY_CONFIG": "from-variable.yaml", "HOME": "/home/nobody"}

    assert find("named.toml", environ, tmp_path) == tmp_path / "named.toml"
    assert find(None, environ, tmp_path) == tmp_path / "from-variable.yaml"
    assert find(None, {"CC_RELAY_CONFIG": ""}, tmp_path) == tmp_path / "config.yaml"


def test_the_working_folder_comes_before_the_users_folder(tmp_path: Path) -> None:
    users = tmp_path / "xdg" / "cc-relay"
    users.mkdir(parents=True)
    (users / "config.toml").write_text("")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}

    assert find(None, environ, tmp_path) == users / "config.toml"
    (users / "config.yml").write_text("")
    assert find(None, environ, tmp_path) == users / "config.yml"
    (tmp_path / "config.toml").write_text("")
    assert find(None, environ, tmp_path) == tmp_path / "config.toml"


def test_no_file_anywhere_is_refused_with_the_places(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused) as caught:
        find(None, {"HOME": "/home/nobody", "XDG_CONFIG_HOME": "relative"}, tmp_path)

    assert caught.value.path is None
    (fault,) = caught.value.faults
    assert str(tmp_path / "config.toml") in fault
    assert "/home/nobody/.config/cc-relay/config.yaml" in fault


def test_the_listen_address_alone_is_read_whatever_else_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("server: {listen: '0.0.0.0:${PORT}', workers: -9}\nproviders: ${NOTHING}\n")

    assert listen_of(path, {"PORT": "99"}) == "0.0.0.0:99"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("server: {workers: 1}", "server.listen is required"),
        ("server: {listen: '${ADDRESS}'}", "server.listen is required (ADDRESS is not set)"),
        ("server: {listen: '127.0.0.1:${PORT}'}", "the port is missing (PORT is not set)"),
        ("server: {listen: [1]}", "server.listen: a list is not a string"),
        ("server: [", "config.yaml: line "),
    ],
)
def test_a_file_without_a_usable_listen_address_says_so(
    tmp_path: Path, text: str, fault: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    with pytest.raises(ConfigRefused, match=r"config\.yaml|server\.listen") as caught:
        listen_of(path, {})

    assert fault in str(caught.value)


def test_a_missing_file_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused) as caught:
        load(tmp_path / "none.yaml", {})

    assert caught.value.path == tmp_path / "none.yaml"
    assert caught.value.faults == (
        f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory",
    )
