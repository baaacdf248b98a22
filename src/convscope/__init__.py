"""Train a small convolutional network in seconds on a CPU, measure it honestly, and see through every part of it."""

from typing import TYPE_CHECKING, Any

from convscope import recipes
from convscope.architecture import (
    Activation,
    Add,
    Architecture,
    AveragePooling2D,
    BatchNormalization,
    Branch,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    MaxPooling2D,
    PReLU,
    ZeroPadding2D,
    presets,
)
from convscope.base.errors import ConvscopeError
from convscope.data.datasets import Dataset, Splits, load_dataset
from convscope.data.image_files import read_picture
from convscope.data.inspection import Inspection, find_duplicates, inspect_dataset
from convscope.evidence.ablation import Ablation, FilterAblation, ablate, ablate_inputs, removal_curves
from convscope.evidence.audit import Audit, audit, label_suspects
from convscope.evidence.calibration import Calibration, fit_temperature, measure_calibration
from convscope.evidence.comparison import (
    Candidate,
    Comparison,
    GroupComparison,
    RunGroup,
    compare,
    compare_all,
    compare_groups,
)
from convscope.evidence.evaluation import Evaluation, evaluate
from convscope.evidence.explanation import (
    AttributionChecks,
    Embedding,
    Explanation,
    FilterCards,
    attribute,
    check_attributions,
    embed,
    explain,
    filter_cards,
    gradients,
    synthesize,
)
from convscope.evidence.rejection import Rejection, RejectionRule, fit_rejection, measure_rejection
from convscope.evidence.robustness import Attacks, Robustness, corrupt, measure_attacks, measure_robustness
from convscope.experiment import (
    ArchitectureAblation,
    Experiment,
    RunResult,
    RunSpec,
    ablate_architecture,
    open_executor,
    run_experiment,
    train_runs,
)
from convscope.interchange import (
    ExportOptions,
    Parity,
    ParityTable,
    Scaling,
    ScalingTable,
    export_model,
    from_keras,
    from_torch,
    import_model,
    measure_parity,
    to_keras,
    to_torch,
)
from convscope.prediction import Prediction, StringReading, predict, read_strings
from convscope.recipes import SGD, Adam, Augmentation, EarlyStopping, Recipe, Schedule
from convscope.runs.evidence import Evidence
from convscope.runs.run import Run, open_run, run
from convscope.storage import load_model, save_model
from convscope.training import History, TrainingState, train
from convscope.training.crossfit import CrossFit, crossfit
from convscope.training.model import Model
from convscope.training.transfer import Transfer, transfer

if TYPE_CHECKING:
    from convscope.classifier import CNNClassifier as CNNClassifier

__all__ = [
    "SGD",
    "Ablation",
    "Activation",
    "Adam",
    "Add",
    "Architecture",
    "ArchitectureAblation",
    "Attacks",
    "AttributionChecks",
    "Audit",
    "Augmentation",
    "AveragePooling2D",
    "BatchNormalization",
    "Branch",
    "Calibration",
    "Candidate",
    "Comparison",
    "Concatenate",
    "Conv2D",
    "ConvscopeError",
    "CrossFit",
    "Dataset",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "Evaluation",
    "Evidence",
    "Experiment",
    "Explanation",
    "ExportOptions",
    "FilterAblation",
    "FilterCards",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "GroupComparison",
    "History",
    "Input",
    "Inspection",
    "MaxPooling2D",
    "Model",
    "PReLU",
    "Parity",
    "ParityTable",
    "Prediction",
    "Recipe",
    "Rejection",
    "RejectionRule",
    "Robustness",
    "Run",
    "RunGroup",
    "RunResult",
    "RunSpec",
    "Scaling",
    "ScalingTable",
    "Schedule",
    "Splits",
    "StringReading",
    "TrainingState",
    "Transfer",
    "ZeroPadding2D",
    "ablate",
    "ablate_architecture",
    "ablate_inputs",
    "attribute",
    "audit",
    "check_attributions",
    "compare",
    "compare_all",
    "compare_groups",
    "corrupt",
    "crossfit",
    "embed",
    "evaluate",
    "explain",
    "export_model",
    "filter_cards",
    "find_duplicates",
    "fit_rejection",
    "fit_temperature",
    "from_keras",
    "from_torch",
    "gradients",
    "import_model",
    "inspect_dataset",
    "label_suspects",
    "load_dataset",
    "load_model",
    "measure_attacks",
    "measure_calibration",
    "measure_parity",
    "measure_rejection",
    "measure_robustness",
    "open_executor",
    "open_run",
    "predict",
    "presets",
    "read_picture",
    "read_strings",
    "recipes",
    "removal_curves",
    "run",
    "run_experiment",
    "save_model",
    "synthesize",
    "to_keras",
    "to_torch",
    "train",
    "train_runs",
    "transfer",
]


def __getattr__(name: str) -> Any:
    """Give what takes long to find only when it is first asked for, so that `import convscope` stays fast."""
    if name == "__version__":
        from importlib.metadata import version

        return version("convscope")
    if name == "CNNClassifier":  # not in __all__: `import *` must not need scikit-learn
        from convscope.classifier import CNNClassifier

        return CNNClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "CNNClassifier", "__version__"])
