"""The situations Claude Code is played through: what is typed, answered and expected.

A script answers by the number of messages requests before; the expectations are about one play,
direct or relayed alike. That both plays are equal is judged in `judge`, not here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from acceptance.claude_code.answers import (
    Answer,
    cut_message,
    message,
    text,
    thinking,
    token_count,
    tool_use,
    whole_message,
)
from acceptance.claude_code.claude import Printed
from acceptance.claude_code.upstream import Recorded, Script

SESSION: Final = "6f6b5a1e-3c0d-4d5e-9a53-0f0f7a1b2c3d"
"""Given to the client, so that two plays send the same bytes."""
SIGNATURE: Final = "c2lnbmF0dXJlLW9mLWEtdGhpbmtpbmctYmxvY2s=" * 6
JSON: Final = ("--output-format", "json")
CONTEXT_COUNTS: Final = 25


@dataclass(frozen=True, slots=True)
class Played:
    """What one play left behind: the runs' outputs and the upstream's recording."""

    printed: Sequence[Printed]
    requests: Sequence[Recorded]

    def messages(self) -> list[Recorded]:
        """The requests to the messages endpoint."""
        return [each for each in self.requests if each.target.startswith("/v1/messages?")]


Expectation = Callable[[Played], bool]


@dataclass(frozen=True, slots=True)
class Situation:
    """One row of the table below."""

    name: str
    runs: Sequence[Sequence[str]]
    script: Script
    expectations: dict[str, Expectation]


def turns(*answers: Answer) -> Script:
    """Answer the n-th messages request with the n-th answer, the rest with the last."""

    def script(request: Recorded, earlier: int) -> Answer:
        if request.target.startswith("/v1/messages/count_tokens"):
            return token_count(len(request.body))
        answer = answers[min(earlier, len(answers) - 1)]
        if request.fields().get("stream") is not True:
            return whole_message(f"{answer.label}_whole", text("NOT_A_STREAM"))
        return answer

    return script


def delegation(request: Recorded, earlier: int) -> Answer:
    """Let the main conversation start an agent, the agent report, the main one end."""
    if "x-claude-code-agent-id" in request.headers:
        return message("agent", text("AGENT_OK reporting"))
    if earlier == 0:
        task = {
            "description": "sub task",
            "prompt": "Say that you are done.",
            "subagent_type": "general-purpose",
            "run_in_background": False,
        }
        return message("delegate", tool_use("toolu_delegate", "Agent", task))
    return message("after_agent", text("MAIN_OK the agent reported"))


def bash(identifier: str, command: str) -> dict[str, object]:
    """A call of the client's shell tool."""
    return {**tool_use(identifier, "Bash", {"command": command, "description": "Print"})}


def printed_text(words: str) -> Expectation:
    """The last run printed exactly this result."""
    return lambda played: (
        played.printed[-1].result().get("result") == words
        and played.printed[-1].result().get("is_error") is False
    )


def answered(*labels: str) -> Expectation:
    """The upstream gave these answers to the messages requests, in this order."""
    return lambda played: [each.answered for each in played.messages()] == list(labels)


def tool_results(request: int, **results: str) -> Expectation:
    """The given messages request carried back these results by tool call."""

    def expectation(played: Played) -> bool:
        blocks = _blocks(played, request, "user")
        found = {b["tool_use_id"]: b["content"] for b in blocks if b["type"] == "tool_result"}
        return found == results

    return expectation


def thinking_came_back(played: Played) -> bool:
    """The second request holds the thinking block with its signature, first and unchanged."""
    blocks = _blocks(played, 1, "assistant")
    return blocks[0] == thinking("Let me think.", SIGNATURE)


def history_came_back(played: Played) -> bool:
    """The resumed run sent the first answer again."""
    return any(block.get("text") == "FIRST_OK" for block in _blocks(played, 1, "assistant"))


def agent_was_named(played: Played) -> bool:
    """Exactly the agent's own request carried an agent id."""
    named = [each.answered for each in played.messages() if _agent(each)]
    return named == ["agent"]


def agent_reported(played: Played) -> bool:
    """The agent's answer came back as the result of the tool call."""
    return "AGENT_OK reporting" in str(_blocks(played, 2, "user"))


def tokens_were_counted(played: Played) -> bool:
    """`/context` asked for every count and nothing else, and printed a table."""
    targets = [each.target for each in played.requests]
    return (
        targets == ["/v1/messages/count_tokens?beta=true"] * CONTEXT_COUNTS
        and "## Context Usage" in played.printed[-1].stdout
    )


def _agent(request: Recorded) -> str | None:
    return request.headers.get("x-claude-code-agent-id")


def _blocks(played: Played, request: int, role: str) -> list[dict[str, Any]]:
    """All blocks of one role in the history that a messages request carried."""
    history = played.messages()[request].fields()["messages"]
    contents = [each["content"] for each in history if each["role"] == role]
    return [block for content in contents for block in content if isinstance(content, list)]


SITUATIONS: Final[Sequence[Situation]] = (
    Situation(
        "plain answer",
        [["-p", "say hello", "--session-id", SESSION, *JSON]],
        turns(message("plain", text("PLAIN_OK hello"))),
        {"printed": printed_text("PLAIN_OK hello"), "one request": answered("plain")},
    ),
    Situation(
        "tool round trip",
        [["-p", "run it", "--session-id", SESSION, *JSON, "--allowedTools", "Bash"]],
        turns(
            message("call", bash("toolu_one", "echo hi-from-tool")),
            message("end", text("TOOL_OK")),
        ),
        {
            "printed": printed_text("TOOL_OK"),
            "two requests": answered("call", "end"),
            "result sent back": tool_results(1, toolu_one="hi-from-tool"),
        },
    ),
    Situation(
        "parallel tools",
        [["-p", "run both", "--session-id", SESSION, *JSON, "--allowedTools", "Bash"]],
        turns(
            # the second takes longer: results are sent in the order in which tools end
            message(
                "calls", bash("toolu_one", "echo one"), bash("toolu_two", "sleep 0.3; echo two")
            ),
            message("end", text("PARALLEL_OK")),
        ),
        {
            "printed": printed_text("PARALLEL_OK"),
            "two requests": answered("calls", "end"),
            "both results sent back": tool_results(1, toolu_one="one", toolu_two="two"),
        },
    ),
    Situation(
        "thinking with tools",
        [["-p", "think", "--session-id", SESSION, *JSON, "--allowedTools", "Bash"]],
        turns(
            message(
                "think",
                thinking("Let me think.", SIGNATURE),
                text("Running it."),
                bash("toolu_one", "echo hi-after-thinking"),
            ),
            message("end", text("THINKING_OK")),
        ),
        {
            "printed": printed_text("THINKING_OK"),
            "two requests": answered("think", "end"),
            "thinking unchanged": thinking_came_back,
            "result sent back": tool_results(1, toolu_one="hi-after-thinking"),
        },
    ),
    Situation(
        "resume",
        [
            ["-p", "first question", "--session-id", SESSION, *JSON],
            ["-p", "second question", "--resume", SESSION, *JSON],
        ],
        turns(message("first", text("FIRST_OK")), message("second", text("SECOND_OK"))),
        {
            "printed": printed_text("SECOND_OK"),
            "two requests": answered("first", "second"),
            "history sent": history_came_back,
        },
    ),
    Situation(
        "/context",
        [["-p", "/context", "--session-id", SESSION]],
        turns(message("unexpected", text("no turn was asked for"))),
        {f"{CONTEXT_COUNTS} counts and a table": tokens_were_counted},
    ),
    Situation(
        "sub-agent",
        [["-p", "delegate", "--session-id", SESSION, *JSON, "--allowedTools", "Agent"]],
        delegation,
        {
            "printed": printed_text("MAIN_OK the agent reported"),
            "three requests": answered("delegate", "agent", "after_agent"),
            "agent id on the agent's": agent_was_named,
            "report sent back": agent_reported,
        },
    ),
    Situation(
        "stream cut in its text",
        [["-p", "say hello", "--session-id", SESSION, *JSON]],
        # Twice, for a body that was ended cleanly would be streamed again once, too; only after
        # a second one the client stops streaming, and the script gives it another text.
        turns(
            cut_message("cut", "half of a sentence that never ends"),
            cut_message("cut", "half of a sentence that never ends"),
            message("again", text("RECOVERED_OK")),
        ),
        {
            "printed": printed_text("RECOVERED_OK"),
            "streamed again": answered("cut", "cut", "again"),
        },
    ),
)
