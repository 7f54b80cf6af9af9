"""The configuration: frozen dataclasses, and the marshmallow sections that read them."""
