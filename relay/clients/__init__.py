"""Who calls us, and which of their credentials are theirs."""
