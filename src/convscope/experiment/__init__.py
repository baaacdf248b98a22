"""Many runs over seeds: what they are, where they are computed, and what they say together."""

from convscope.experiment.architectures import ArchitectureAblation, ablate_architecture
from convscope.experiment.executors import open_executor
from convscope.experiment.experiment import Experiment, run_experiment
from convscope.experiment.files import write_experiment
from convscope.experiment.records import DivergedRun
from convscope.experiment.result import RunResult
from convscope.experiment.runs import argument_of, train_runs
from convscope.experiment.spec import RunSpec
from convscope.experiment.sweep import Sweep, run_sweep
from convscope.experiment.weights_matrix import WeightsMatrix, load_weights_matrix

__all__ = [
    "ArchitectureAblation",
    "DivergedRun",
    "Experiment",
    "RunResult",
    "RunSpec",
    "Sweep",
    "WeightsMatrix",
    "ablate_architecture",
    "argument_of",
    "load_weights_matrix",
    "open_executor",
    "run_experiment",
    "run_sweep",
    "train_runs",
    "write_experiment",
]
