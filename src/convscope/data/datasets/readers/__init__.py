"""The forms in which a data set may come, a reader each; nothing in a file is believed before it is checked."""
