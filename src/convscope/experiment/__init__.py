"""Train many runs over seeds, on this machine or a cluster, and compare their results."""

from convscope.experiment.architectures import ArchitectureAblation, ablate_architecture
from convscope.experiment.executors import open_executor
from convscope.experiment.experiment import Experiment, run_experiment
from convscope.experiment.files import write_experiment
from convscope.experiment.records import DivergedRun
from convscope.experiment.result import RunResult
from convscope.experiment.runs import make_portable, train_runs
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
    "load_weights_matrix",
    "make_portable",
    "open_executor",
    "run_experiment",
    "run_sweep",
    "train_runs",
    "write_experiment",
]
