"""The style classifier: what the wording of a text says about who chose the words."""

from provenance.classifier.model import StyleModel

__all__ = ["StyleModel"]
