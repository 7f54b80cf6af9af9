"""Flask blueprints: read the request, make one call, respond. No logic of their own."""
