"""Making a style model from labelled texts, reproducibly."""

from provenance.classifier.training.pipeline import Expert, TrainingOptions, TrainingResult, leave_out, train

__all__ = ["Expert", "TrainingOptions", "TrainingResult", "leave_out", "train"]
