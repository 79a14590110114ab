"""Hookline delivers webhooks from Kafka."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("hookline")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "0.0.0"
