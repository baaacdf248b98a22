"""Images and their labels: data sets, pictures from files, handwriting, and what to check first."""
