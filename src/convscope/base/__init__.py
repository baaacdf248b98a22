"""Errors, files, random streams, plain JSON, tables, metrics and statistics: the base of every room."""
