"""One client request, from what is asked to the accounted end."""
