"""The version of cliplib, for all rooms."""

__version__ = "0.1.0"
