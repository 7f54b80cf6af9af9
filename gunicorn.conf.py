"""Found by gunicorn by itself: bind, workers and limits come from the relay's own config.

Options on gunicorn's command line still win over what stands here.
"""


def _settings() -> dict[str, object]:
    from relay import serving  # noqa: PLC0415  nothing of the relay at the top level of this file

    return serving.settings()


globals().update(_settings())
