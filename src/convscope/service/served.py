"""Load the models of a service from run folders and model files."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from convscope.base.errors import RunError
from convscope.base.files import inside
from convscope.evidence.rejection import RejectionRule
from convscope.prediction import preparation_of
from convscope.storage import load_model, open_run
from convscope.training.model import Model

_NAMED = re.compile(r"([^=/\\]+)=(.+)", re.DOTALL)  # NAME=RUN; a name with a slash would be a path


@dataclass(frozen=True, eq=False)
class Served:
    """A model under the name that clients use.

    Attributes:
        report: the page of its run, if there is one.
        rule: the rule for rejecting images as "none of these", if it has one.
    """

    name: str
    model: Model
    report: Path | None = None
    rule: RejectionRule | None = None

    @cached_property
    def version(self) -> str:
        """The first twelve digits of a SHA-256 over everything that an answer depends on."""
        model = self.model
        parts = {
            "weights": model.weights_sha256,
            "architecture": model.architecture.to_dict(),
            "class_names": list(model.class_names),
            "calibration": dict(model.calibration),
            "handwriting": preparation_of(model).handwriting.to_dict(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def load_served(arguments: Iterable[str]) -> tuple[Served, ...]:
    """Load the models at `arguments`, each RUN or NAME=RUN, where RUN is a run folder or a model file.

    Without a name, a model is named after its folder or file. Each has classified an empty image before this returns.

    Raises:
        RunError: if there is no model or it is damaged, two have the same name, or a model's logits are not finite.
    """
    models = dict[str, Served]()
    for argument in arguments:
        name, path = _split_name(argument)
        if name in models:
            raise RunError(f"{argument}: there already is a model {name!r}; give this one another name: NAME={path}")
        models[name] = _load(name, path)
    if not models:
        raise RunError("no run was given; name at least one run folder")
    return tuple(models.values())


def _split_name(argument: str) -> tuple[str, Path]:
    """Divide NAME=RUN into a name and a path; without a name it is that of the folder or file."""
    path = Path(argument)
    # A path may contain "=" itself, so an existing one is taken whole.
    if (match := _NAMED.fullmatch(argument)) and not path.exists():
        return match[1], Path(match[2])
    resolved = path.resolve()  # gives "." a name
    return (resolved.stem if resolved.is_file() else resolved.name) or "model", path


def _load(name: str, path: Path) -> Served:
    is_run = (path / "run.json").exists()
    model = open_run(path).load_model() if is_run else load_model(path)
    rule = model.calibration.get("rejection")
    report = inside(path, "report.html") if (path / "report.html").exists() else None
    try:
        served = Served(name, model, report, None if rule is None else RejectionRule.from_dict(rule))
        image = np.zeros((1, *model.architecture.input.shape), np.uint8)
        if served.rule is not None:  # raises if the rule does not fit the model
            served.rule.refuses(model, image)
    except (RunError, ValueError) as error:
        raise RunError(f"{path}: {error}; train it again or use another copy") from error
    if not np.isfinite(model.logits(image)).all():
        raise RunError(f"{path}: its answer to a blank image is not a finite number; train it again")
    return served
