"""Images and their labels: data sets, pictures from files, handwriting, and inspection."""
