"""The command line: `cc-relay …` and `flask cc-relay …`, the same commands (behaviour 2).

One file a command; `group` is the list of them. A command's module is loaded when the command is
asked for, so `version` and the help work whatever else is broken, and `flask` starts no slower.
"""

from relay.cli.group import cc_relay, main

__all__ = ["cc_relay", "main"]
