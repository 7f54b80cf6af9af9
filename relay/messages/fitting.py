"""Fitting: the edits that make the history of a request one that its target takes.

    judge each block ► turns ─ blocks out, signatures cut, thinking first
                         └ nothing left ► messages ─ filled, or out
                         └ the running tool loop ► `thinking` out, and the edits that need it

Behaviour 11.3 and 11.4. Blocks that stay keep their bytes: they may change places, nothing else.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relay.messages import edit, history
from relay.messages.edit import Edit, Members, Span
from relay.messages.history import Block, Turn
from relay.messages.judging import STAYS, Judge

# Never empty, and always the same, so that the prompt cache holds.
_FILLING: Final = b'{"type":"text","text":"(reasoning omitted)"}'
_NEEDS_THINKING: Final = "clear_thinking"

# What was done → how the log says it.
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "foreign": ("thinking", "foreign block/ left out"),
    "invalid": ("thinking", "invalid block/ left out"),
    "empty": ("thinking", "empty text/ left out"),
    "prefixed": ("thinking", "signature/ cut at the prefix"),
    "moved": ("thinking", "turn/ put in order"),
    "tool": ("thinking", "tool signature/ left out"),
    "gone": ("thinking", "emptied message/ left out"),
    "filled": ("thinking", "emptied message/ filled"),
    "switch": ("thinking", "field/ left out"),
    "context": ("context_management", "edit/ left out"),
}


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What one turn becomes."""

    turn: Turn
    order: Sequence[int]
    """The places of the blocks that stay, as they shall stand."""
    resigned: Mapping[int, str]
    """The blocks among them that get another signature."""
    unsigned: Collection[int]
    """The blocks among them that lose theirs."""
    has_lost: bool
    """A thinking block was taken out."""

    @property
    def is_emptied(self) -> bool:
        return self.has_lost and not self.order

    @property
    def leads_with_thinking(self) -> bool:
        return bool(self.order) and self.turn.blocks[self.order[0]].thinks

    @property
    def is_unchanged(self) -> bool:
        is_in_place = list(self.order) == list(range(len(self.turn.blocks)))
        return is_in_place and not (self.resigned or self.unsigned)


class Fitting:
    """Fits one history to one target."""

    def __init__(self, members: Members, turns: Mapping[int, Turn], judge: Judge) -> None:
        """`turns`: those with thinking blocks or signatures, by their place in `messages`."""
        self._members = members
        self._messages = members.elements("messages")
        self._judge = judge
        self._said: Counter[str] = Counter()
        self._fitted = {place: self._fit(turn) for place, turn in sorted(turns.items())}

    def edits(self) -> list[Edit]:
        """What is to be changed; the edits do not overlap."""
        gone = self._gone()
        edits = edit.without(self._messages, gone)
        for place, fitted in self._fitted.items():
            if place not in gone:
                edits += _turn_edits(self._members.body, fitted)
        if self._loop_has_lost_its_thinking(gone):
            edits += self._switch_off()
        return edits

    def words(self) -> tuple[str, ...]:
        """What was changed, for the log."""
        return tuple(
            f"{field}: {count} {text.replace('/', 's' * (count > 1))}"
            for what, (field, text) in _WORDS.items()
            if (count := self._said[what])
        )

    # One turn.

    def _fit(self, turn: Turn) -> _Fitted:
        kept: list[int] = []
        resigned: dict[int, str] = {}
        has_lost = knows = False
        for place, block in enumerate(turn.blocks):
            verdict = self._judge.judge(block) if block.thinks else STAYS
            knows = knows or verdict.is_known
            if verdict.reason:
                self._said[verdict.reason] += 1
                has_lost = True
                continue
            kept.append(place)
            if verdict.signature is not None:
                resigned[place] = verdict.signature
        if has_lost:
            kept = self._without_empty_texts(turn, kept)
        unsigned = {place for place in kept if _is_signed_tool(turn.blocks[place])}
        self._said["prefixed"] += len(resigned)
        self._said["tool"] += len(unsigned)
        order = kept if knows else self._in_order(turn, kept)
        return _Fitted(turn, order, resigned, unsigned, has_lost)

    def _without_empty_texts(self, turn: Turn, kept: list[int]) -> list[int]:
        texts = [place for place in kept if not turn.blocks[place].is_empty_text]
        self._said["empty"] += len(kept) - len(texts)
        return texts

    def _in_order(self, turn: Turn, kept: list[int]) -> list[int]:
        """Thinking first, unless it leads already."""
        thoughts = [place for place in kept if turn.blocks[place].thinks]
        if not thoughts or thoughts[0] == kept[0]:
            return kept
        self._said["moved"] += 1
        return thoughts + [place for place in kept if not turn.blocks[place].thinks]

    # Messages with nothing left.

    def _gone(self) -> set[int]:
        """The places of the emptied messages that go; the others are filled."""
        gone: set[int] = set()
        for place, fitted in self._fitted.items():
            if fitted.is_emptied:
                is_needed = self._is_needed(place, gone)
                self._said["filled" if is_needed else "gone"] += 1
                if not is_needed:
                    gone.add(place)
        return gone

    def _is_needed(self, place: int, gone: set[int]) -> bool:
        after = self._neighbour(range(place + 1, len(self._messages)))
        if after is None or self._role(after) != "user":
            return False
        before = (at for at in reversed(range(place)) if at not in gone)
        previous = self._neighbour(before)
        is_between = previous is not None and self._role(previous) == "user"
        return is_between or history.answers_tools(self._members.body, self._messages[after])

    def _neighbour(self, places: Iterable[int]) -> int | None:
        """The first message of user or assistant: Claude Code puts some of `system` between."""
        return next((place for place in places if self._role(place) != "system"), None)

    def _role(self, place: int) -> str:
        return history.role(self._members.body, self._messages[place])

    # The running tool loop.

    def _loop_has_lost_its_thinking(self, gone: set[int]) -> bool:
        """Whether the last turn has run tools, and no longer leads with thinking.

        Assistant messages in a row are one turn to the API.
        """
        run = self._last_run(gone)
        left = [place for place in run if place not in gone]
        has_lost = any(place in self._fitted and self._fitted[place].has_lost for place in run)
        if not left or not has_lost:
            return False
        body = self._members.body
        later = range(run[-1] + 1, len(self._messages))
        if not any(history.answers_tools(body, self._messages[place]) for place in later):
            return False
        turns = [self._turn(place) for place in left]
        if not any(turn is not None and _runs_tools(turn) for turn in turns):
            return False
        return turns[0] is None or not turns[0].leads_with_thinking

    def _last_run(self, gone: set[int]) -> list[int]:
        """The places of the last assistant messages in a row, if any of them stays."""
        run: list[int] = []
        for place in reversed(range(len(self._messages))):
            if self._role(place) == "assistant":
                run.append(place)
            elif gone.issuperset(run):
                run.clear()
            else:
                break
        run.reverse()
        return run

    def _turn(self, place: int) -> _Fitted | None:
        """What the message becomes; None if its content is no list."""
        fitted = self._fitted.get(place)
        if fitted is not None:
            return fitted
        turn = history.turn(self._members.body, self._messages[place])
        if turn is None:
            return None
        return _Fitted(turn, range(len(turn.blocks)), {}, (), has_lost=False)

    def _switch_off(self) -> list[Edit]:
        """No thinking in this attempt."""
        thinking = self._members.span("thinking")
        if thinking is None or history.type_of(self._members.body, thinking) == "disabled":
            return []
        self._said["switch"] += 1
        edits, is_left = self._context_edits()
        out = ("thinking",) if is_left else ("thinking", "context_management")
        return edits + _members_out(self._members, out)

    def _context_edits(self) -> tuple[list[Edit], bool]:
        """What goes of `context_management`, and whether anything of it is left."""
        body, span = self._members.body, self._members.span("context_management")
        members = None if span is None else edit.members(_bytes(body, span))
        if span is None or members is None:
            return [], True
        spans = members.elements("edits")
        types = [history.type_of(members.body, each) for each in spans]
        out = [at for at, each in enumerate(types) if each.startswith(_NEEDS_THINKING)]
        self._said["context"] += len(out)
        if out and len(out) == len(spans) and len(members.spans) == 1:
            return [], False
        cuts = edit.without(spans, out)
        return [(start + span[0], end + span[0], value) for start, end, value in cuts], True


def _turn_edits(body: bytes, fitted: _Fitted) -> list[Edit]:
    if fitted.is_unchanged:
        return []
    spans = history.block_spans(body, fitted.turn)
    if len(spans) != len(fitted.turn.blocks):
        return []  # `content` stands twice
    if fitted.is_emptied:
        return [(spans[0][0], spans[-1][1], _FILLING)]
    edits = edit.without(spans, set(range(len(spans))).difference(fitted.order))
    for slot, place in zip(sorted(fitted.order), fitted.order, strict=True):
        written = _written(_bytes(body, spans[place]), place, fitted)
        if written is not None or slot != place:
            edits.append((*spans[slot], written or _bytes(body, spans[place])))
    return edits


def _written(raw: bytes, place: int, fitted: _Fitted) -> bytes | None:
    """What the block at `place` becomes; None if it stays as it is."""
    if place not in fitted.resigned and place not in fitted.unsigned:
        return None
    members = edit.members(raw)
    span = None if members is None else members.span("signature")
    if members is None or span is None:
        return None
    if place in fitted.resigned:
        return edit.replace(raw, span, edit.string_json(fitted.resigned[place]))
    return edit.edited(raw, _members_out(members, ("signature",)))


def _is_signed_tool(block: Block) -> bool:
    return block.type == "tool_use" and block.is_signed


def _runs_tools(fitted: _Fitted) -> bool:
    return any(block.type == "tool_use" for block in fitted.turn.blocks)


def _members_out(members: Members, names: tuple[str, ...]) -> list[Edit]:
    pairs = edit.pairs(members)
    out = [place for place, (name, _) in enumerate(pairs) if name in names]
    return edit.without([span for _, span in pairs], out)


def _bytes(body: bytes, span: Span) -> bytes:
    return body[span[0] : span[1]]
