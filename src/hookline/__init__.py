"""Hookline delivers webhooks from Kafka."""

import logging
from importlib.metadata import PackageNotFoundError, version

logging.getLogger(__name__).addHandler(logging.NullHandler())  # silent until the application configures logging

try:
    __version__ = version("hookline")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "0.0.0"
