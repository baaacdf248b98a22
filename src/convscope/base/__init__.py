"""What every room stands on: errors, files, random streams, plain JSON, tables, metrics and statistics."""
