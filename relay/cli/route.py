"""`route`: where requests go."""

import click

from relay.cli.lazy import LazyGroup


@click.group(cls=LazyGroup, places={"explain": "relay.cli.route_explain:explain"})
def route() -> None:
    """Where requests go, and why."""
