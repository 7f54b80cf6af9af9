"""Judging: which thinking blocks of a history one target may see (behaviour 11.3).

known, of the target's family ─────────────► stays as it is
known, of another family ── foreign ───────► goes, and so does every block in this history
                                             that is not known to be of the target's family
unknown ── its signature by the rules ─────► stays, or goes as invalid
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from relay.messages.history import Block, Turn

# What a signature can be at the shortest; real ones have hundreds of characters.
_LEAST_CHARACTERS: Final = 50
# What Gemini takes in place of a signature, and nobody else.
_GEMINI_ACCEPTS: Final = "skip_thought_signature_validator"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one thinking or redacted block."""

    reason: Literal["", "foreign", "invalid"] = ""
    """Why it goes; empty if it stays."""
    is_known: bool = False
    """It is known to be of the target's family."""
    signature: str | None = None
    """With this signature, if it stays with another one than it has."""


STAYS: Final = Verdict()
_IS_OURS: Final = Verdict(is_known=True)
_FOREIGN: Final = Verdict("foreign")
_INVALID: Final = Verdict("invalid")


class Judge:
    """Judges the blocks of one history for one target."""

    def __init__(
        self, blocks: Iterable[Block], *, issuers: Mapping[bytes, str], family: str, model: str
    ) -> None:
        """`blocks`: those of the history. `issuers`: digest → family, of those that are known."""
        self._issuers = issuers
        self._family = family
        self._model = model
        self._is_foreign = any(
            block.thinks and self._issuer(block) not in {None, family} for block in blocks
        )

    def judge(self, block: Block) -> Verdict:
        """What becomes of a thinking or redacted block."""
        if self._issuer(block) == self._family:
            return _IS_OURS
        if self._is_foreign:
            return _FOREIGN
        return STAYS if block.type == "redacted_thinking" else self._by_rules(block.signed)

    def stays(self, turn: Turn) -> bool:
        """Whether nothing in this turn has to change, as nearly always."""
        blocks = turn.blocks
        if not blocks[0].thinks:
            return False
        for block in blocks:
            if not block.thinks:
                if block.is_signed:
                    return False
                continue
            verdict = self.judge(block)
            if verdict is not STAYS and verdict is not _IS_OURS:
                return False
        return True

    def _issuer(self, block: Block) -> str | None:
        if not self._issuers:
            return None
        digest = block.digest
        return None if digest is None else self._issuers.get(digest)

    def _by_rules(self, signature: str) -> Verdict:
        _, prefixed, rest = signature.partition("#")
        if prefixed:
            return Verdict(signature=rest) if rest else _INVALID
        if len(signature) >= _LEAST_CHARACTERS:
            return STAYS
        if signature == _GEMINI_ACCEPTS and "gemini" in self._model:
            return STAYS
        return _INVALID
