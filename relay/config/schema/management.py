"""`management:` — the admin's way in: management API, dashboard, gRPC."""

from relay.config.addresses import listen_fault
from relay.config.schema.collections import Names, Part
from relay.config.schema.section import Section
from relay.config.schema.words import Hidden, Switch, SwitchOrAuto, Text
from relay.secret import Secret


class ManagementHttpSection(Section):
    """The management API and the dashboard under `/relay/`."""

    enabled = Switch("`/relay/…`", default=True)


class ManagementGrpcSection(Section):
    """The management API over gRPC."""

    enabled = SwitchOrAuto(
        "`auto`: on when the extra `grpc` is installed and its address is loopback",
        default="auto",
    )
    listen = Text(
        "`host:port`; the older `grpc.listen` is read as this",
        default="127.0.0.1:9090",
        rule=listen_fault,
        refused="not host:port",
    )


class ManagementSection(Section):
    """The admin's way in: management API, dashboard, gRPC."""

    token = Hidden("admin token", default=Secret(""), shown_default="generated")
    allowed_hosts = Names(
        "Host values the management API and the dashboard answer to",
        default=(),
        shown_default="loopback names and the listen host",
    )
    http = Part(ManagementHttpSection)
    grpc = Part(ManagementGrpcSection)
