"""What an attempt's ending means, and whom it concerns."""
