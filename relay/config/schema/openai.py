"""`providers[].openai:` — switches of a type this version does not serve yet.

They are known here, so that a file written for a later version is told what is missing, and not
that its keys are misspelt.
"""

from relay.config.schema.collections import Numbers
from relay.config.schema.numbers import Whole
from relay.config.schema.section import Section
from relay.config.schema.words import Switch, Word


class OpenaiSection(Section):
    """Switches of the `openai` type."""

    api_key_header = Word(
        "the header that carries the key",
        words=("authorization", "api-key", "x-api-key"),
        default="authorization",
    )
    max_tokens_field = Word(
        "the name `max_tokens` is sent under; `auto`: by model name",
        words=("auto", "max_tokens", "max_completion_tokens"),
        default="auto",
    )
    max_tokens_limit = Whole("largest value sent; 0 = as asked", default=0)
    stream_usage = Switch('send `stream_options: {"include_usage": true}`', default=True)
    effort_thresholds = Numbers(
        "thinking budgets up to the first are `low`, up to the second `medium`, above `high`",
        count=2,
        default=(2048, 8192),
        shown_default="[2048, 8192]",
        refused="not two rising whole numbers",
    )
    reasoning_effort = Switch("send `reasoning_effort` at all", default=True)
    return_reasoning = Switch("send earlier thinking back as `reasoning_content`", default=False)
    keep_cache_control = Switch("leave `cache_control` on content parts", default=False)
    mid_system_role = Word(
        "role of a `system` message in mid-conversation", words=("user", "system"), default="user"
    )
    files = Switch("send PDFs as `file` parts", default=False)
    strict_schemas = Switch("reduce tool schemas to the common subset", default=False)
