"""Why the network failed, in words an operator can search for; no address, no content."""

import os
import socket
import ssl


def reason(error: OSError) -> str:
    """A few words, lower case, without full stop."""
    if isinstance(error, ssl.SSLCertVerificationError):
        text = error.verify_message.rstrip(".")
        return f"certificate not accepted: {text[:1].lower()}{text[1:]}"
    if isinstance(error, ssl.SSLEOFError):
        return "TLS failed: connection closed"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'unknown reason').lower().replace('_', ' ')}"
    if isinstance(error, socket.gaierror):
        return f"name not resolved: {(error.strerror or 'unknown reason').lower()}"
    return os.strerror(error.errno).lower() if error.errno else "connection lost"
