"""Texts of configuration files for the tests of this folder."""

from textwrap import dedent, indent

MINIMAL = """
server:
  listen: 127.0.0.1:8787
providers:
  - name: main
    type: anthropic
    keys:
      - key: sk-one
"""


def a_file(*, server: str = "", provider: str = "", more: str = "") -> str:
    """A valid file with something put into its server, its provider, or beside them."""
    own = server if "listen:" in server else f"listen: 127.0.0.1:8787\n{dedent(server)}"
    return (
        f"server:\n{indent(dedent(own).strip(), '  ')}\n"
        "providers:\n  - name: main\n    type: anthropic\n"
        f"{indent(dedent(provider).strip(), '    ')}\n{dedent(more)}\n"
    )
