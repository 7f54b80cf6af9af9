"""The Messages API as data: events, usage, and the smallest edit of a body. No I/O."""
