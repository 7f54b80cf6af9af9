"""The whole file: its sections, in the order they are described."""

from relay.config.schema.clients import ClientsSection
from relay.config.schema.collections import Part, Parts
from relay.config.schema.health import HealthSection
from relay.config.schema.ledger import LedgerSection
from relay.config.schema.logging import LoggingSection
from relay.config.schema.management import ManagementSection
from relay.config.schema.metrics import MetricsSection
from relay.config.schema.pricing import PriceSection
from relay.config.schema.providers import ProviderSection, provider_section
from relay.config.schema.routing import RoutingSection
from relay.config.schema.scenarios import ScenarioSection
from relay.config.schema.section import Section
from relay.config.schema.server import ServerSection
from relay.config.schema.state import StateSection


class FileSection(Section):
    """A configuration file."""

    server = Part(ServerSection)
    routing = Part(RoutingSection)
    providers = Parts(ProviderSection, choose=provider_section)
    health = Part(HealthSection)
    logging = Part(LoggingSection)
    state = Part(StateSection)
    metrics = Part(MetricsSection)
    management = Part(ManagementSection)
    ledger = Part(LedgerSection)
    clients = Part(ClientsSection)
    pricing = Parts(PriceSection)
    scenarios = Parts(ScenarioSection)
