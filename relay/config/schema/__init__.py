"""The sections of the file, one noun a file: each key with its default, bound and description."""
