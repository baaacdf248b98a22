"""Train many runs over seeds, on this machine or a cluster, and compare their results."""

from .architectures import (
    ArchitectureAblation as ArchitectureAblation,
    ablate_architecture as ablate_architecture,
)
from .executors import open_executor as open_executor
from .experiment import Experiment as Experiment, run_experiment as run_experiment
from .files import write_experiment as write_experiment
from .records import DivergedRun as DivergedRun
from .result import RunResult as RunResult
from .runs import train_runs as train_runs
from .spec import RunSpec as RunSpec
from .sweep import Sweep as Sweep, run_sweep as run_sweep
from .weights_matrix import (
    WeightsMatrix as WeightsMatrix,
    load_weights_matrix as load_weights_matrix,
)
