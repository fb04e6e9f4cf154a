"""What plans of campaigns begin with, in the bench and in tests: a country, its clock, an evening and a night."""

HOURS = """
version: 1
country: ID
timezone: Asia/Jakarta
windows:
  peak: {start: 19:00, end: 23:00}
  offpeak: {start: 02:00, end: 06:00}
"""
