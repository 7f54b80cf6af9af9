"""The one user of upstream sockets: a `requests` transport made for streams."""
