"""Runs while they happen: their tracking in other programs."""
