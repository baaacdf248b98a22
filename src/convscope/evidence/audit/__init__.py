"""Audit of a data set: doubtful labels and duplicates."""

from convscope.evidence.audit.faults import Audit, audit
from convscope.evidence.audit.label_suspects import label_suspects

__all__ = ["Audit", "audit", "label_suspects"]
