"""The data's own faults: labels in doubt, known wrong labels, and images that stand there twice."""

from convscope.audit.duplicates import DuplicateGroup, Duplicates, Member, find_duplicates
from convscope.audit.faults import AnsweredError, Audit, PartialAccuracy, audit
from convscope.audit.known_errors import KnownError, KnownErrors, known_errors
from convscope.audit.label_suspects import LabelSuspects, Suspect, SuspectPair, label_suspects

__all__ = [
    "AnsweredError",
    "Audit",
    "DuplicateGroup",
    "Duplicates",
    "KnownError",
    "KnownErrors",
    "LabelSuspects",
    "Member",
    "PartialAccuracy",
    "Suspect",
    "SuspectPair",
    "audit",
    "find_duplicates",
    "known_errors",
    "label_suspects",
]
