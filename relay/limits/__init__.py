"""How much may go on at once."""
