"""The file that `cc-relay config init` writes: commented, and valid as it stands."""

from importlib import resources


def template() -> str:
    """The text of a new configuration file."""
    return resources.files("relay.config").joinpath("template.yaml").read_text("utf-8")
