"""Making a style model from labelled texts, reproducibly."""

from provenance.classifier.training.pipeline import TrainingOptions, TrainingResult, train

__all__ = ["TrainingOptions", "TrainingResult", "train"]
