"""The WSGI entry: `gunicorn -k gevent wsgi:app` in the repository's root."""

from relay import create_app

app = create_app()
