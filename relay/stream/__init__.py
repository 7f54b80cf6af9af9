"""The response on its way: gate, taps, body, and the client that may leave."""
