from dataclasses import replace

import pytest

import convscope as cs
from convscope.cli.record import run_record

CNN, CLASSIC = cs.presets.cnn(), cs.recipes.classic
COMMANDS = {
    "presets": (CNN, CLASSIC, "--architecture cnn --recipe classic --seed"),
    "other precision": (
        CNN,
        replace(CLASSIC, precision="bfloat16"),
        "--architecture cnn --recipe classic --precision bfloat16 --seed",
    ),
    "other epochs": (CNN, replace(CLASSIC, epochs=3), "--architecture cnn --recipe classic --epochs 3 --seed"),
    "early stopping": (
        CNN, replace(CLASSIC, validation_fraction=0.1, early_stopping=cs.EarlyStopping(patience=3)),
        "--architecture cnn --recipe classic --validation-fraction 0.1 --patience 3 --seed",
    ),
    "early stopping that no option asks for": (
        CNN, replace(CLASSIC, validation_fraction=0.1, early_stopping=cs.EarlyStopping(min_delta=0.1)),
        "--architecture cnn --recipe RECIPE.json --seed",
    ),
    "classes that count alike": (
        CNN, replace(CLASSIC, class_weights="balanced"),
        "--architecture cnn --recipe classic --class-weights balanced --seed",
    ),
    "a network that only bears the name": (
        replace(CNN, layers=CNN.layers[-3:]), CLASSIC, "--architecture ARCHITECTURE.json --recipe classic --seed",
    ),
    "a recipe that only bears the name": (
        CNN, replace(CLASSIC, batch_size=64), "--architecture cnn --recipe RECIPE.json --seed",
    ),
    "both from files": (
        replace(CNN, name="mine"), replace(CLASSIC, name="mine"),
        "--architecture ARCHITECTURE.json --recipe RECIPE.json --seed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COMMANDS)
def test_the_recorded_command_makes_this_run_and_no_other(small_mnist: cs.Splits, case: str):
    architecture, recipe, expected = COMMANDS[case]
    record = run_record(
        dataset="mnist",
        splits=small_mnist,
        architecture=architecture,
        recipe=recipe,
        seed=2,
        engine="native",
        threads=1,
    )
    assert record["command"] == f"convscope run --dataset mnist {expected} 2 --engine native"
