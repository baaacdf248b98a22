"""A reader for each form of data set; everything in a file is checked before it is used."""
