"""Train a network: from an architecture, images and a recipe to a model, its history, and a state to continue from."""

from convscope.training.checks import (
    check_classes as check_classes,
    check_fit as check_fit,
    check_recipe as check_recipe,
    default_recipe as default_recipe,
    hold_out as hold_out,
)
from convscope.training.history import (
    HISTORY_COLUMNS as HISTORY_COLUMNS,
    History as History,
    TrainingState as TrainingState,
    describe_choice as describe_choice,
    with_choice as with_choice,
)
from convscope.training.loop import train as train
from convscope.training.records import Checkpoint as Checkpoint
