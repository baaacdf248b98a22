"""The data's own faults: labels in doubt, known wrong labels, and images that stand there twice."""

from convscope.evidence.audit.faults import AnsweredError, Audit, PartialAccuracy, audit
from convscope.evidence.audit.known_errors import KnownError, KnownErrors, known_errors
from convscope.evidence.audit.label_suspects import LabelSuspects, Suspect, label_suspects

__all__ = [
    "AnsweredError",
    "Audit",
    "KnownError",
    "KnownErrors",
    "LabelSuspects",
    "PartialAccuracy",
    "Suspect",
    "audit",
    "known_errors",
    "label_suspects",
]
