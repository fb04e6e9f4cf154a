"""Results on disk: immutable Parquet segments, additive histograms and JSON documents.

Anyone can read them with any tool (docs/contract.md, Store). DuckDB is imported in here alone, and
only when a file is written or read.
"""
