"""Thinking: the signed blocks of a conversation, how they are known again, and who may see them.

The issuer of a thinking block checks it on the next turn, and other vendors refuse it (behaviour
11). Nothing here knows who issued what: that is the store's, and comes in as `issuers`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from relay.messages import edit, history
from relay.messages.fitting import Fitting
from relay.messages.judging import Judge

MOST_BLOCKS: Final = 1024
"""The newest so many blocks of an answer are remembered, and of a history looked up."""

_THINKS: Final = b'thinking"'


def digests(members: edit.Members) -> tuple[bytes, ...]:
    """The digests of all thinking and redacted blocks of a history, in its order.

    A block that says nothing at all (no signature, no text) has none.
    """
    turns = history.thinking_turns(members).values()
    return _digests(block for turn in turns for block in turn.blocks)


def is_signed(members: edit.Members) -> bool:
    """Whether a thinking block of the history has a signature, or is redacted, which is one."""
    turns = history.thinking_turns(members).values()
    thinking = (block for turn in turns for block in turn.blocks if block.thinks)
    return any(block.signed or block.type == "redacted_thinking" for block in thinking)


def digests_of_message(document: bytes) -> tuple[bytes, ...]:
    """The digests of the last blocks of one message, as a plain answer brings it."""
    if _THINKS not in document:
        return ()
    thinking = [block for block in history.blocks_of(document) if block.thinks]
    return _digests(thinking[-MOST_BLOCKS:])


def edits(
    members: edit.Members, *, issuers: Mapping[bytes, str], family: str, model: str
) -> tuple[list[edit.Edit], tuple[str, ...]]:
    """What has to change in a body so that this target takes its history, and that in words.

    `issuers`: digest → signature family, of the blocks that are known. `family`: the target's.
    `model`: as it is sent upstream. The edits touch nothing but `messages`, `thinking` and
    `context_management`, and do not overlap.
    """
    turns = history.thinking_turns(members)
    if not turns:
        return [], ()
    blocks = (block for turn in turns.values() for block in turn.blocks)
    judge = Judge(blocks, issuers=issuers, family=family, model=model)
    signed = history.signed_turns(members, known=turns)
    if not signed and all(map(judge.stays, turns.values())):
        return [], ()
    fitting = Fitting(members, turns | signed, judge)
    return fitting.edits(), fitting.words()


def fit(
    members: edit.Members, *, issuers: Mapping[bytes, str], family: str, model: str
) -> tuple[bytes, tuple[str, ...]]:
    """The body after its `edits`, the very same object if there are none; and those in words."""
    found, words = edits(members, issuers=issuers, family=family, model=model)
    return (edit.edited(members.body, found) if found else members.body), words


def _digests(blocks: Iterable[history.Block]) -> tuple[bytes, ...]:
    found = (block.digest for block in blocks if block.thinks)
    return tuple(digest for digest in found if digest is not None)
