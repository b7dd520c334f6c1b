"""The replay's figures as a table, a summary and a plot."""

from __future__ import annotations

from xml.sax.saxutils import escape

import numpy as np

MEASURES = ("perplexity", "tail_coverage", "self_bleu", "mtld")
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}
"""97.5 % points of Student's t for so many seeds."""
COLOURS = ("#444444", "#a6611a", "#7b3294", "#2c7bb6", "#1a9641", "#999900", "#d7191c")


def values(rows, rate, arm, generation, measure):
    """A measure's values over the seeds."""
    return np.array(
        [
            row[measure]
            for row in rows
            if (row["rate"], row["arm"], row["generation"]) == (rate, arm, generation) and measure in row
        ]
    )


def arms_of(rows):
    """Names of the arms in the order in which they came."""
    return list(dict.fromkeys(row["arm"] for row in rows))


def interval(found):
    """Mean and half of the 95 % interval over the seeds."""
    if len(found) < 2:
        return float(found.mean()), float("nan")
    return float(found.mean()), STUDENT.get(len(found), 1.96) * float(found.std(ddof=1)) / len(found) ** 0.5


def table(rows):
    """Markdown: each measure at the first, the middle and the last generation."""
    last = max(row["generation"] for row in rows)
    shown = sorted({0, 1, last // 2, last})
    lines = []
    for rate in sorted({row["rate"] for row in rows}):
        lines += ["", f"### {rate:.0%} of each crawl written by models", ""]
        for measure in MEASURES:
            lines += [
                f"| {measure.replace('_', ' ')} | " + " | ".join(f"generation {g}" for g in shown) + " |",
                "|---|" + "--:|" * len(shown),
            ]
            for arm in arms_of(rows):
                cells = []
                for generation in shown:
                    mean, half = interval(values(rows, rate, arm, generation, measure))
                    digits = 0 if mean >= 100 else 1 if mean >= 10 else 3
                    cells.append(f"{mean:.{digits}f}" + ("" if np.isnan(half) else f" ± {half:.{digits}f}"))
                lines.append(f"| {arm} | " + " | ".join(cells) + " |")
            lines.append("")
    return "\n".join(lines).strip()


def summary(rows):
    """Markdown: how much of the distance from no filter to each oracle an arm closes, and what it keeps."""
    last = max(row["generation"] for row in rows)
    late = range(last // 2 + 1, last + 1)
    lines = [
        f"Means over the generations {late[0]} to {last}, ± half of the 95 % interval over the seeds.",
        "",
        "| rate | arm | of the distance to the oracle of registered text | to the oracle | human text kept "
        "| registered left | unregistered left |",
        "|--:|---|--:|--:|--:|--:|--:|",
    ]
    for rate in sorted({row["rate"] for row in rows}):
        for arm in arms_of(rows):
            if arm in ("no filter", "replace", "accumulate", "oracle"):
                continue
            cells = [f"{rate:.0%}", arm]
            for oracle in ("oracle (registered)", "oracle"):
                cells.append(percent(*interval(closed(rows, rate, arm, oracle, late))))
            for writer in ("human", "own", "foreign"):
                found = [values(rows, rate, arm, generation, f"{writer}_kept") for generation in late]
                cells.append(percent(*interval(np.mean(found, axis=0))))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def closed(rows, rate, arm, oracle, generations):
    """For each seed, the part of the distance in perplexity from no filter to an oracle that an arm closes."""
    none, own, best = (
        np.mean([values(rows, rate, name, generation, "perplexity") for generation in generations], axis=0)
        for name in ("no filter", arm, oracle)
    )
    return (none - own) / (none - best)


def percent(mean, half):
    """A share and half of its interval, in percent."""
    return f"{mean:.1%}" + ("" if np.isnan(half) else f" ± {half:.1%}")


def figure(rows, rate, measure):
    """An SVG of one measure by generation, one line for each arm, its interval over the seeds shaded."""
    width, height, left, top = 720, 400, 60, 30
    last = max(row["generation"] for row in rows)
    arms = arms_of(rows)
    lines = {
        arm: [interval(values(rows, rate, arm, generation, measure)) for generation in range(last + 1)] for arm in arms
    }
    # One arm that runs away must not press the others into one line.
    tops = sorted(max(mean for mean, _ in line) for line in lines.values())
    most = tops[-2] * 1.08 if len(tops) > 1 and tops[-1] > 1.6 * tops[-2] else tops[-1] * 1.04
    least = min(mean for line in lines.values() for mean, _ in line) * 0.97

    def x(generation):
        return left + generation / last * (width - left - 190)

    def y(value):
        return top + (1 - (min(value, most) - least) / (most - least)) * (height - top - 50)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="18">{escape(measure)} on human text, {rate:.0%} of each crawl written by models</text>',
    ]
    for k in range(5):
        value = least + k * (most - least) / 4
        parts.append(f'<line x1="{left}" x2="{x(last):.0f}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.0f}</text>')
    for generation in range(last + 1):
        parts.append(f'<text x="{x(generation):.1f}" y="{height - 28}" text-anchor="middle">{generation}</text>')
    parts.append(f'<text x="{x(last / 2):.0f}" y="{height - 8}" text-anchor="middle">generation</text>')
    for arm, colour in zip(arms, COLOURS, strict=False):
        line = lines[arm]
        spread = [(mean, 0.0 if np.isnan(half) else half) for mean, half in line]
        upper = [f"{x(g):.1f},{y(mean + half):.1f}" for g, (mean, half) in enumerate(spread)]
        lower = [f"{x(g):.1f},{y(max(mean - half, least)):.1f}" for g, (mean, half) in enumerate(spread)]
        parts.append(f'<polygon points="{" ".join(upper + lower[::-1])}" fill="{colour}" opacity="0.12"/>')
        points = " ".join(f"{x(g):.1f},{y(mean):.1f}" for g, (mean, _) in enumerate(line))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        place = top + 16 * arms.index(arm) + 10
        parts.append(f'<rect x="{width - 180}" y="{place - 6}" width="20" height="3" fill="{colour}"/>')
        parts.append(f'<text x="{width - 154}" y="{place}">{escape(arm)}</text>')
    return "\n".join([*parts, "</svg>", ""])
