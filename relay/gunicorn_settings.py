"""gunicorn's configuration as a module, for `gunicorn -c python:relay.gunicorn_settings`.

Importing it loads the relay's configuration: that is what gunicorn imports it for.
"""

from relay import serving

globals().update(serving.settings())
