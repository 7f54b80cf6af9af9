"""The dialects of the upstreams: one provider a file, stateless, four hooks in a fixed order."""
