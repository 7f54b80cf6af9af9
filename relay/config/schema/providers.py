"""`providers:` — the upstreams, their keys and how they are reached."""

from typing import Any, Final

from relay.config.addresses import base_url_fault, proxy_fault
from relay.config.model import KeyConfig
from relay.config.schema.collections import Names, Part, Parts, Renames
from relay.config.schema.numbers import Millis, Whole
from relay.config.schema.openai import OpenaiSection
from relay.config.schema.section import Section
from relay.config.schema.setting import Setting
from relay.config.schema.words import Hidden, Location, Switch, Text, Word, as_switch
from relay.config.types import LATER_TYPES, TYPES
from relay.secret import Secret

MAX_PRIORITY: Final = 2
MAX_NAME_CHARS: Final = 64


def _name_fault(name: str) -> str | None:
    if len(name) <= MAX_NAME_CHARS and name.isascii() and name.isprintable() and "/" not in name:
        return None
    return f"must be 1 to {MAX_NAME_CHARS} printable ASCII characters without /"


def _name() -> Setting[Any]:
    return Text(
        "what the provider is called in logs, headers and routes",
        rule=_name_fault,
        refused="not unique; not 1 to 64 printable ASCII characters without `/`",
    )


def _type() -> Setting[Any]:
    return Word(
        f"the dialect it speaks; this version serves {' and '.join(f'`{name}`' for name in TYPES)}",
        words=(*TYPES, *LATER_TYPES),
        refused="enabled, and not served by this version",
    )


def _secret(doc: str) -> Setting[Any]:
    return Hidden(doc, default=Secret(""), shown_default='""')


class KeySection(Section):
    """One credential of a provider, with its limits."""

    fills = KeyConfig
    key = Hidden(
        "the secret; may be empty for `anthropic` (then only passed-through credentials work)",
        default=Secret(""),
        shown_default="none",
        refused="empty where the type needs a key",
    )
    rpm_limit = Whole("requests per minute; 0 = no limit of ours", default=0)
    itpm_limit = Whole("uncached input tokens per minute", default=0)
    otpm_limit = Whole("output tokens per minute", default=0)
    tpm_limit = Whole("input and output tokens together per minute", default=0)
    priority = Whole(
        "keys of the highest priority that can serve come first", default=0, most=MAX_PRIORITY
    )
    weight = Whole("for `weighted`; 0 counts as 1", default=1)


class PoolingSection(Section):
    """How requests are shared out over the keys of a provider."""

    strategy = Word(
        "which key comes next",
        words=("least_loaded", "round_robin", "random", "weighted"),
        default=None,
        shown_default="`least_loaded`",
    )
    enabled = Switch(
        "false: only the first key is used; true: key headers also with one key",
        default=None,
        shown_default="true if more than one key",
        refused="true without keys",
    )


class TimeoutsSection(Section):
    """How long one attempt may wait."""

    connect_ms = Millis("TCP and TLS together", default=10_000, least=100)
    first_byte_ms = Millis(
        "from the last byte sent to the response headers",
        default=None,
        shown_default="`server.timeout_ms`",
        least=1000,
    )
    idle_ms = Millis(
        "between two reads of the response",
        default=None,
        shown_default="`server.timeout_ms`",
        least=1000,
    )


class DisabledProviderSection(Section):
    """A provider that is off: nothing but its name and type is looked at."""

    tolerant = True

    name = _name()
    type = _type()
    enabled = Switch("false: not routed, not listed", default=True)


class ProviderSection(Section):
    """One upstream."""

    name = _name()
    type = _type()
    enabled = Switch("false: not routed, not listed, and nothing else is checked", default=True)
    base_url = Hidden(
        "http or https; `user:password@` in it is a secret",
        default=Secret(""),
        shown_default="per type",
        rule=base_url_fault,
        refused="not such a URL; with query or fragment; link-local and cloud metadata addresses",
    )
    auth = Word(
        "which credential goes upstream: `auto` (a client's own for `anthropic`, else ours), "
        "`passthrough` (always the client's own), `configured` (always ours)",
        words=("auto", "passthrough", "configured"),
        default="auto",
    )
    models = Names("what `/v1/models` lists", default=None, shown_default="per type")
    model_mapping = Renames(
        "renames, client's name → upstream's name; a key may end in `*`", default=dict
    )
    priority = Whole(
        "higher is preferred",
        default=None,
        shown_default="first key's, else 0",
        most=MAX_PRIORITY,
    )
    weight = Whole("0 counts as 1", default=None, shown_default="first key's, else 1")
    keys = Parts(KeySection)
    pooling = Part(PoolingSection)
    timeouts = Part(TimeoutsSection)
    proxy = Hidden(
        "egress proxy URL; `env` = `HTTPS_PROXY` and `NO_PROXY` of the environment; empty = none",
        default=Secret(""),
        shown_default='""',
        rule=proxy_fault,
        refused="not an http or https URL",
    )
    ca_file = Location(
        "PEM bundle instead of the system's certificates", default="", refused="unreadable"
    )
    signature_family = Text(
        "providers of one family accept each other's thinking signatures",
        default="",
        shown_default="per type",
    )
    drop_betas = Names(
        "beta names (a trailing `*` allowed) left out together with their body fields",
        default=None,
        shown_default="per type",
    )
    aws_region = Text("`bedrock`: region", default="")
    aws_access_key_id = Text("`bedrock`: access key id", default="")
    aws_secret_access_key = _secret("`bedrock`: secret access key")
    aws_session_token = _secret("`bedrock`: session token")
    aws_profile = Text("`bedrock`: profile of the shared credentials file", default="")
    gcp_project_id = Text("`vertex`: project", default="")
    gcp_region = Text("`vertex`: region", default="")
    gcp_credentials_file = Location("`vertex`: credentials file", default="")
    azure_resource_name = Text("`azure`: resource name", default="")
    azure_deployment_id = Text(
        "`azure`: model name sent when `model_mapping` has no match", default=""
    )
    azure_api_version = Text("`azure`: sent as `api-version` query when not empty", default="")
    openai = Part(OpenaiSection)


def is_disabled(entry: object) -> bool:
    """Whether an entry of `providers:` says `enabled: false`, as far as it can be read."""
    return isinstance(entry, dict) and as_switch(entry.get("enabled")) is False


def provider_section(entry: object) -> type[Section]:
    """The section an entry is checked with."""
    return DisabledProviderSection if is_disabled(entry) else ProviderSection
