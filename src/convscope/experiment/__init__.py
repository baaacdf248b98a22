"""Train many runs over seeds, on this machine or a cluster, and compare their results."""

from convscope.experiment.architectures import (
    ArchitectureAblation as ArchitectureAblation,
    ablate_architecture as ablate_architecture,
)
from convscope.experiment.executors import open_executor as open_executor
from convscope.experiment.experiment import Experiment as Experiment, run_experiment as run_experiment
from convscope.experiment.files import write_experiment as write_experiment
from convscope.experiment.records import DivergedRun as DivergedRun
from convscope.experiment.result import RunResult as RunResult
from convscope.experiment.runs import make_portable as make_portable, train_runs as train_runs
from convscope.experiment.spec import RunSpec as RunSpec
from convscope.experiment.sweep import Sweep as Sweep, run_sweep as run_sweep
from convscope.experiment.weights_matrix import (
    WeightsMatrix as WeightsMatrix,
    load_weights_matrix as load_weights_matrix,
)
