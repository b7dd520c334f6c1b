"""Making a style model from labelled texts, reproducibly."""

from provenance.classifier.training.experts import Expert
from provenance.classifier.training.pipeline import TrainingOptions, TrainingResult, leave_out, train

__all__ = ["Expert", "TrainingOptions", "TrainingResult", "leave_out", "train"]
