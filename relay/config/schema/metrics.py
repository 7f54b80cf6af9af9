"""`metrics:` — numbers for a monitoring system."""

from relay.config.schema.section import Section
from relay.config.schema.words import Switch


class MetricsSection(Section):
    """Numbers for a monitoring system."""

    enabled = Switch("`GET /metrics`", default=True)
