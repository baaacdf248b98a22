"""Data sets with a name: their descriptions, files and downloads."""
