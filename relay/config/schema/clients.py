"""`clients:` — keys the relay hands out, and what their holders may do."""

from datetime import date, datetime
from typing import Any

from marshmallow import ValidationError

from relay.config.schema.collections import Names, Part, Parts
from relay.config.schema.numbers import Ratio, Whole
from relay.config.schema.section import Section
from relay.config.schema.setting import JsonSchema, Setting, quoted
from relay.config.schema.words import Hidden, Switch, Text, Word

MIN_KEY_CHARS = 20


def _key_fault(key: str) -> str | None:
    # An empty one is reported as missing, by the section that needs it.
    return None if len(key) >= MIN_KEY_CHARS or not key else f"must have {MIN_KEY_CHARS} characters"


class Moment(Setting[str]):
    """An RFC 3339 date and time; YAML and TOML may have parsed it already."""

    kind = "RFC 3339"

    def read(self, value: Any) -> str:
        if value == "":
            return ""
        try:
            moment = value if isinstance(value, date) else datetime.fromisoformat(value)
        except (ValueError, TypeError) as error:
            raise ValidationError(f"{quoted(value)} is not an RFC 3339 time") from error
        if not isinstance(moment, datetime):
            raise ValidationError(f"{moment.isoformat()} has no time of day")
        return moment.isoformat()

    def bounds(self) -> str:
        return "not RFC 3339"

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}


class ClientDefaultsSection(Section):
    """Values for client keys that do not state their own."""

    models = Names("patterns of models they may use", default=())
    providers = Names("providers they may use", default=())
    rpm_limit = Whole("requests per minute", default=0)
    tpm_limit = Whole("tokens per minute", default=0)
    max_concurrent = Whole("exchanges in progress", default=0)
    budget_usd = Ratio("dollars per `budget_period`", default=0.0, most=10**9)
    budget_period = Word(
        "when the budget starts anew", words=("day", "week", "month"), default="month"
    )
    expires_at = Moment("when the key stops working", default="")


class ClientKeySection(ClientDefaultsSection):
    """A client key declared in the file."""

    name = Text("what the client is called", refused="not unique")
    key = Hidden("the secret", rule=_key_fault, refused=f"shorter than {MIN_KEY_CHARS} characters")
    enabled = Switch("whether it is admitted", default=True)


class ClientsSection(Section):
    """Keys the relay hands out, and what their holders may do."""

    required = Switch(
        "true: nobody without a client key (or `server.auth` credential) is served",
        default=False,
        refused="true (not in this version)",
    )
    defaults = Part(ClientDefaultsSection)
    keys = Parts(ClientKeySection)
