"""What `import convscope` gives: the names, and where each one lives. They are imported when first used."""

from . import recipes as recipes
from .architecture import (
    Activation as Activation,
    Add as Add,
    Architecture as Architecture,
    AveragePooling2D as AveragePooling2D,
    BatchNormalization as BatchNormalization,
    Branch as Branch,
    Concatenate as Concatenate,
    Conv2D as Conv2D,
    Dense as Dense,
    DepthwiseConv2D as DepthwiseConv2D,
    Dropout as Dropout,
    Flatten as Flatten,
    GlobalAveragePooling2D as GlobalAveragePooling2D,
    GlobalMaxPooling2D as GlobalMaxPooling2D,
    GroupNormalization as GroupNormalization,
    Input as Input,
    LayerNormalization as LayerNormalization,
    MaxPooling2D as MaxPooling2D,
    Multiply as Multiply,
    PReLU as PReLU,
    SoftVoting as SoftVoting,
    ZeroPadding2D as ZeroPadding2D,
    presets as presets,
)
from .base.errors import ConvscopeError as ConvscopeError
from .classifier import CNNClassifier as CNNClassifier
from .data.datasets import Dataset as Dataset, Splits as Splits, load_dataset as load_dataset
from .data.image_files import read_picture as read_picture
from .data.inspection import (
    Inspection as Inspection,
    find_duplicates as find_duplicates,
    inspect_dataset as inspect_dataset,
)
from .evidence.ablation import Ablation as Ablation, FilterAblation as FilterAblation, ablate as ablate
from .evidence.audit import Audit as Audit, audit as audit, label_suspects as label_suspects
from .evidence.calibration import (
    Calibration as Calibration,
    fit_temperature as fit_temperature,
    measure_calibration as measure_calibration,
)
from .evidence.comparison import (
    Candidate as Candidate,
    Comparison as Comparison,
    GroupComparison as GroupComparison,
    Plan as Plan,
    RunGroup as RunGroup,
    compare as compare,
    compare_all as compare_all,
    compare_groups as compare_groups,
    plan as plan,
)
from .evidence.difference import NetworkDifference as NetworkDifference
from .evidence.evaluating import evaluate as evaluate
from .evidence.evaluation import Evaluation as Evaluation
from .evidence.explanation import (
    Embedding as Embedding,
    Explanation as Explanation,
    FilterCards as FilterCards,
    attribute as attribute,
    embed as embed,
    explain as explain,
    filter_cards as filter_cards,
    gradients as gradients,
)
from .evidence.rejection import (
    Rejection as Rejection,
    RejectionRule as RejectionRule,
    fit_rejection as fit_rejection,
    measure_rejection as measure_rejection,
)
from .evidence.robustness import (
    Attacks as Attacks,
    Robustness as Robustness,
    corrupt as corrupt,
    measure_attacks as measure_attacks,
    measure_robustness as measure_robustness,
)
from .experiment import (
    ArchitectureAblation as ArchitectureAblation,
    Experiment as Experiment,
    RunResult as RunResult,
    RunSpec as RunSpec,
    Sweep as Sweep,
    WeightsMatrix as WeightsMatrix,
    ablate_architecture as ablate_architecture,
    load_weights_matrix as load_weights_matrix,
    open_executor as open_executor,
    run_experiment as run_experiment,
    run_sweep as run_sweep,
    train_runs as train_runs,
)
from .export import (
    ExportOptions as ExportOptions,
    Parity as Parity,
    ParityTable as ParityTable,
    export_model as export_model,
    measure_parity as measure_parity,
    to_keras as to_keras,
    to_torch as to_torch,
)
from .interchange import (
    Scaling as Scaling,
    ScalingTable as ScalingTable,
    from_keras as from_keras,
    from_torch as from_torch,
    import_model as import_model,
)
from .prediction import (
    Prediction as Prediction,
    StringReading as StringReading,
    predict as predict,
    read_strings as read_strings,
)
from .recipes import (
    SGD as SGD,
    Adam as Adam,
    Augmentation as Augmentation,
    EarlyStopping as EarlyStopping,
    Recipe as Recipe,
    Schedule as Schedule,
)
from .runs.call import run as run
from .runs.difference import diff as diff
from .runs.evidence import Evidence as Evidence
from .runs.run import Run as Run, open_run as open_run
from .storage import load_model as load_model, save_model as save_model
from .training import History as History, TrainingState as TrainingState, train as train
from .training.crossfit import CrossFit as CrossFit, crossfit as crossfit
from .training.ensemble import ensemble as ensemble
from .training.model import Model as Model
from .training.transfer import Transfer as Transfer, transfer as transfer

__version__: str
