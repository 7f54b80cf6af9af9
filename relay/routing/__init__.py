"""Where a request may go, and in which order."""
