"""Measurements of a trained model, with a module or folder for each topic."""
