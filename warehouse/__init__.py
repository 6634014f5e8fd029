"""The record: everything about calls and scorecards in DuckDB."""
