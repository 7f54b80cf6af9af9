"""`ledger:` — the durable record of exchanges."""

from relay.config.schema.numbers import Whole
from relay.config.schema.section import Section
from relay.config.schema.words import Hidden, Switch
from relay.secret import Secret


class LedgerSection(Section):
    """The durable record of exchanges."""

    enabled = Switch("whether exchanges are recorded", default=True)
    url = Hidden(
        "`sqlite:` in the state folder, or any SQLAlchemy URL",
        default=Secret("sqlite:"),
        shown_default="`sqlite:`",
    )
    retention_days = Whole("how long exchanges are kept; 0 = for ever", default=90)
