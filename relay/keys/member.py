"""A key in its pool: where it stands, and what the store calls it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relay.config.model import KeyConfig, ProviderConfig
from relay.keys.known import digest_of
from relay.limits.kinds import Kind, Limits
from relay.secret import Secret


@dataclass(frozen=True, slots=True)
class Member:
    """One key of a provider."""

    position: int
    """Place in the configuration's list, from 0."""
    key: KeyConfig
    digest: bytes
    limits: Limits
    """Those of the configuration."""
    windows: Sequence[str]
    """The names of its windows in the store, by `Kind`."""
    kinds: Mapping[str, int]
    """The other way round."""
    in_flight: str
    """The name of its lasting claims."""

    @classmethod
    def of(cls, provider: str, position: int, key: KeyConfig) -> "Member":
        """Give it its names."""
        digest = digest_of(provider, key.key)
        name = f"key/{provider}/{digest.hex()}"
        windows = tuple(f"{name}/{kind.name.lower()}" for kind in Kind)
        return cls(
            position=position,
            key=key,
            digest=digest,
            limits=Limits(key.rpm_limit, key.itpm_limit, key.otpm_limit, key.tpm_limit),
            windows=windows,
            kinds={window: kind for kind, window in enumerate(windows)},
            in_flight=name,
        )


def members(config: ProviderConfig) -> list[Member]:
    """The keys that count, in the order of the configuration."""
    kept: dict[Secret, Member] = {}
    for position, key in enumerate(config.keys):
        if key.key and key.key not in kept:
            kept[key.key] = Member.of(config.name, position, key)
    found = list(kept.values())
    return found if config.pooling.enabled else found[:1]
