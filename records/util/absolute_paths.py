"""Paths for processes that may have another working folder: of other machines, or started elsewhere."""

import os


def absolute(path: str) -> str:
    """The path, absolute where it is local; one of an object store, with "://" in it, as it is."""
    return path if "://" in path else os.path.abspath(path)
