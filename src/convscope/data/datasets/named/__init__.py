"""The data sets that have a name: what they are, where their files are found, and how they are fetched."""
