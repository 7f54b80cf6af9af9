"""The real Claude Code, played through situations directly and through the relay."""
