"""Two plots as SVG text: the ROC curve and the reliability diagram of an assessment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from provenance.classifier.assessment import Reliability, Roc
from provenance.escapes import markup as escape

_SIZE: Final = 400
_LEFT: Final = 60
_TOP: Final = 40
_STEPS: Final = 5


def roc_plot(curve: Roc, title: str) -> str:
    """The ROC curve, with the diagonal of chance."""
    line = _line(list(zip(curve.false_positives, curve.true_positives, strict=True)))
    note = f"area {curve.area:.4f}" if curve.true_positives else "one label only"
    return _frame(title, "human text at least as high", "synthetic text at least as high", [line, _note(note)])


def reliability_plot(found: Reliability, title: str) -> str:
    """Observed against stated probability; the area of a dot grows with its texts."""
    most = max(found.texts, default=1)
    points = list(zip(found.stated, found.observed, strict=True))
    dots = [
        f'<circle cx="{_x(stated):.1f}" cy="{_y(observed):.1f}" r="{3 + 9 * (texts / most) ** 0.5:.1f}" '
        'fill="#2b6cb0" fill-opacity="0.5"/>'
        for (stated, observed), texts in zip(points, found.texts, strict=True)
    ]
    note = f"expected calibration error {found.error:.4f}" if points else "one label only"
    return _frame(title, "stated probability of synthetic", "observed share", [_line(points), *dots, _note(note)])


def _x(share: float) -> float:
    return _LEFT + _SIZE * share


def _y(share: float) -> float:
    return _TOP + _SIZE * (1.0 - share)


def _line(points: Sequence[tuple[float, float]]) -> str:
    path = " ".join(f"{_x(x):.2f},{_y(y):.2f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="#2b6cb0" stroke-width="2"/>'


def _note(text: str) -> str:
    return f'<text x="{_x(0.97)}" y="{_y(0.04)}" text-anchor="end">{escape(text)}</text>'


def _frame(title: str, across: str, up: str, inside: Sequence[str]) -> str:
    width, height = _LEFT + _SIZE + 20, _TOP + _SIZE + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_x(0.5)}" y="24" text-anchor="middle" font-size="14">{escape(title)}</text>',
    ]
    for step in range(_STEPS + 1):
        share = step / _STEPS
        parts += [
            f'<path d="M{_x(share)} {_y(0)}V{_y(1)}M{_x(0)} {_y(share)}H{_x(1)}" stroke="#dddddd"/>',
            f'<text x="{_x(share)}" y="{_y(0) + 16}" text-anchor="middle">{share:.1f}</text>',
            f'<text x="{_x(0) - 6}" y="{_y(share) + 4}" text-anchor="end">{share:.1f}</text>',
        ]
    parts += [
        f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="#999999" stroke-dasharray="4 4"/>',
        *inside,
        f'<text x="{_x(0.5)}" y="{_y(0) + 38}" text-anchor="middle">{escape(across)}</text>',
        f'<text transform="translate(16 {_y(0.5)}) rotate(-90)" text-anchor="middle">{escape(up)}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
