"""Audit of a data set: doubtful labels and duplicates."""

from convscope.evidence.audit.faults import Audit as Audit, audit as audit
from convscope.evidence.audit.label_suspects import label_suspects as label_suspects
