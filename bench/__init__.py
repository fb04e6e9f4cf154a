"""Side-by-side measurements of the data plane against irtt, iperf3 and the C limit: `python -m bench`.

Not part of the test suite; docs/performance.md says what each row means and what a quiet run gave.
"""
