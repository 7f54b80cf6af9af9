"""Checks across keys: what one value means for another. No socket is opened, no name resolved.

They look at checked values of which some may be missing, because they had a fault of their own:
everything that is wrong is reported at once.
"""
