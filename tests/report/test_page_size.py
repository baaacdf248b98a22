"""The page of a run of MNIST has at most 4.5 MB, with and without evidence."""

from dataclasses import replace

import numpy as np
import pytest
from tests.noise import init_model

from convscope import load_dataset
from convscope.architecture import presets
from convscope.engine import initial_weights
from convscope.evidence.comparison import Candidate, compare
from convscope.evidence.evaluating import evaluate
from convscope.evidence.explanation import explain
from convscope.experiment.ablation import AblationRecord
from convscope.recipes import classic
from convscope.report import Replay, RunContents, render_report
from convscope.report.evidence.section import Section
from convscope.report.evidence.sections import RenderedSection
from convscope.training import Checkpoint, History

from .conftest import make_record

MAX_BYTES = 4_500_000


def make_run(name: str, epochs: int) -> Replay:
    """Make a network with random weights, which do not compress, after each epoch."""
    network = getattr(presets, name)((28, 28, 1), 10)
    past = tuple(np.linspace(0.3, 0.1, epochs))
    names = tuple("0123456789")
    points = [*(step / 469 for step in (0, 1, 3, 10, 30, 100, 300)), *range(1, epochs + 1)]
    snapshots = {Checkpoint(epoch=epoch): initial_weights(network, seed) for seed, epoch in enumerate(points)}
    return Replay(init_model(network, names), History(past, past, past, past, past), snapshots)


@pytest.fixture(scope="module")
def contents() -> RunContents:
    """A run of MNIST without evidence."""
    splits = load_dataset("mnist")
    run, baseline = (make_run(name, classic.epochs) for name in ("cnn", "ann"))
    evaluation, baseline_evaluation = (evaluate(trained.model, splits.test) for trained in (run, baseline))
    comparison = compare(
        Candidate.from_model(run.model, evaluation, 1.0), Candidate.from_model(baseline.model, baseline_evaluation, 1.0)
    )
    return RunContents(
        splits, classic, run, evaluation, explain(run.model, splits.test, 0),
        make_record(splits, run.model.architecture, classic), baseline, comparison, [],
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("evidence_bytes", [0, 800_000])
def test_a_page_of_mnist_has_at_most_four_megabytes(contents: RunContents, evidence_bytes: int) -> None:
    """The evidence of `convscope run` takes about 350,000 bytes, that of all topics about 800,000."""
    section, html = Section("size", "Size", "", "", []), f'<section id="size">{"x" * evidence_bytes}</section>'
    contents = replace(contents, evidence=[RenderedSection("size", AblationRecord(), section, html)])
    size = len(render_report(contents).encode())
    assert evidence_bytes + 1_000_000 < size <= MAX_BYTES
    assert contents.payload.live.models[0].snapshots, "the epochs have their place before training images do"
