"""Measure whether a real-time-communication vendor is good enough in a country."""

__version__ = "0.1.0"
