"""Train a network: from an architecture, images and a recipe to a model, its history, and a state to continue from."""

from convscope.training.checks import check_classes, check_fit, check_recipe, default_recipe, hold_out
from convscope.training.history import HISTORY_COLUMNS, History, TrainingState, describe_choice, with_choice
from convscope.training.loop import train
from convscope.training.records import Checkpoint

__all__ = [
    "HISTORY_COLUMNS",
    "Checkpoint",
    "History",
    "TrainingState",
    "check_classes",
    "check_fit",
    "check_recipe",
    "default_recipe",
    "describe_choice",
    "hold_out",
    "train",
    "with_choice",
]
