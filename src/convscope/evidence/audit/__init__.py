"""Audit of a data set: doubtful labels, known wrong labels, and duplicates."""

from convscope.evidence.audit.faults import Audit, audit
from convscope.evidence.audit.known_errors import known_errors
from convscope.evidence.audit.label_suspects import label_suspects

__all__ = ["Audit", "audit", "known_errors", "label_suspects"]
