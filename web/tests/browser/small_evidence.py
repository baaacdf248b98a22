"""Measure every topic that the page has a section for, so that it looks as after `convscope report RUN all`.

Few images are used, so the numbers mean little.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from msgspec.structs import replace

import convscope as cs
from convscope.base.metrics import softmax
from convscope.base.records import Record
from convscope.evidence.ablation import ablate
from convscope.evidence.audit import audit
from convscope.evidence.calibration import measure_calibration
from convscope.evidence.explanation import embed, filter_cards
from convscope.evidence.rejection import fit_rejection, measure_rejection
from convscope.evidence.robustness import measure_attacks, measure_robustness
from convscope.experiment import run_experiment
from convscope.experiment.ablation import AblationRecord
from convscope.export import FORMATS
from convscope.runs.seeds import SeedRuns
from convscope.runs.topics import TOPICS
from convscope.training.crossfit import crossfit

_MAX_TRAINING, _MAX_TEST = 2_000, 500
_FOLDS = 2


def small_evidence(models: Sequence[cs.Model], splits: cs.Splits, recipe: cs.Recipe) -> dict[str, Record]:
    """Measure every topic of the first of `models`, with two training runs of each model."""
    model, few = models[0], take_first_images(splits)
    evidence = {
        **measure_seeds([model.architecture for model in models], few, recipe),
        **measure_quick_topics(model, few),
        **measure_slow_topics(model, few, recipe),
        "exports": measure_exports(model, few),
    }
    assert evidence.keys() == TOPICS.keys()
    return {topic: evidence[topic] for topic in TOPICS}


def measure_exports(model: cs.Model, few: cs.Splits) -> cs.ParityTable:
    """Measure the parity of a file, and make up a row of a runtime with a long name."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        cs.save_model(model, path)
        own = cs.measure_parity(model, FORMATS["safetensors"].open(path), path, "safetensors", "float32", few.test)
    float16 = replace(own, file="model-float16.tflite", runtime="Keras 3.15.1 on TensorFlow 2.21.0", num_changed=12_345)
    return cs.ParityTable(rows=(own, float16))


def take_first_images(splits: cs.Splits) -> cs.Splits:
    """Return the first images of both splits."""
    numbers = ((splits.train, _MAX_TRAINING), (splits.test, _MAX_TEST))
    return cs.Splits(*(split.take(np.arange(min(number, len(split)))) for split, number in numbers))


def measure_slow_topics(model: cs.Model, few: cs.Splits, recipe: cs.Recipe) -> dict[str, Record]:
    """Measure the topics that need further networks, and those that spoil images; return the evidence by topic."""
    siblings = crossfit(model.architecture, few.train, recipe, folds=_FOLDS)
    logits = model.logits(few.test.images)
    calibration = measure_calibration(
        logits,
        few.test.labels,
        siblings.logits,
        siblings.labels,
        fitted_on=f"out-of-fold training images of {_FOLDS} sibling networks",
        dataset_name=few.name,
    )
    rejection = measure_rejection(fit_rejection(model, siblings.parts(few.train)), model, few.test, max_images=100)
    return {
        "calibration": calibration,
        "rejection": rejection,
        "robustness": measure_robustness(model, few.test, max_images=100),
        "attacks": measure_attacks(model, few.test, max_images=50, steps=5),
        "audit": audit(few, softmax(siblings.logits), softmax(logits)).to_record(),
    }


def measure_quick_topics(model: cs.Model, few: cs.Splits) -> dict[str, Record]:
    """Measure the topics that `convscope run` measures in every run; return the evidence by topic."""
    return {
        "filters": filter_cards(model, few.test),
        "embedding": embed(model, few.test, max_images=400),
        "ablation": AblationRecord().merge(ablate(model, few.test)),
    }


def measure_seeds(architectures: Sequence[cs.Architecture], few: cs.Splits, recipe: cs.Recipe) -> dict[str, Record]:
    """Train two runs of each architecture and return their comparison as the page reads it."""
    runs = run_experiment(architectures, few, [recipe], range(2), dataset=few.name)
    return {"seeds": SeedRuns(runs, None, "2 seeds, as asked.").to_record()}
