"""HTML of the answers. Whatever comes from a file or a visitor is escaped here, and nowhere else."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from motionhub.app.naming import Named, person, sentences


# Okabe and Ito's set and two more, readable on light and dark.
COLOURS = ("#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#785EF0", "#BEB428", "#B5694F", "#8C93A0")


def escape(text: str) -> str:
    """A text as HTML, in which Gradio finds no expression of its templates (`${...}`, `{{...}}`) either."""
    return html.escape(text).replace("$", "&#36;").replace("{", "&#123;")


def refusal(text: str) -> str:
    """A sentence that says what to do, read out by screen readers."""
    return f'<div class="mh-refusal" role="alert"><strong>No answer.</strong> {escape(text)}</div>'


def notes(lines: Sequence[str]) -> str:
    """What a reader should know of an answer; empty without lines."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="mh-notes" aria-label="What to know of this recording">{items}</ul>' if items else ""


def picture(address: str, alt: str) -> str:
    """An image by its address."""
    return f'<img class="mh-picture" src="{escape(address)}" alt="{escape(alt)}">'


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str) -> str:
    """A table; a cell of `Moment` is a button that moves the recording there."""
    titles = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="mh-scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="mh-table">'
        f"<caption>{escape(caption)}</caption><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


class Moment(float):
    """Seconds that a cell of a table jumps to."""


def answer(named: Named) -> str:
    """Sentences, the bar over time that moves the recording, and the table of intervals."""
    said = "".join(f"<p>{escape(line)}</p>" for line in sentences(named))
    known = [*named.notes, *named.recording.notes]
    rows = [
        (person(row["track_id"]), Moment(row["start_s"]), Moment(row["end_s"]), row["label"], f"{row['score']:.0%}")
        for row in named.rows
    ]
    listed = table(("who", "from", "to", "what", "score"), rows, "Who does what, when") if rows else ""
    heading = f"<h3>{escape(named.recording.name)}, {named.duration:.1f} s</h3>"
    return (
        f'<section class="mh-answer" aria-live="polite">{heading}{said}{ribbon(named)}{notes(known)}{listed}</section>'
    )


def ribbon(named: Named) -> str:
    """A lane per person and label with a button per interval, over a slider of the time."""
    end = max(named.duration, 1e-6)
    labels = list(dict.fromkeys(row["label"] for row in named.rows))
    lanes: dict[tuple[Any, str], list[Mapping[str, Any]]] = {}
    for row in named.rows:
        lanes.setdefault((row["track_id"], row["label"]), []).append(row)
    order = sorted(lanes, key=lambda lane: (lane[0] is not None, lane[0] or 0, lanes[lane][0]["start_s"]))
    drawn = "".join(
        f'<div class="mh-lane"><span class="mh-who">{escape(_lane_name(lane, named))}</span><div class="mh-track">'
        + "".join(_bar(row, end, COLOURS[labels.index(lane[1]) % len(COLOURS)]) for row in lanes[lane])
        + "</div></div>"
        for lane in order
    )
    slider = (
        f'<div class="mh-lane"><span class="mh-who mh-clock">0.0 s</span><div class="mh-track mh-bare">'
        f'<input class="mh-scrub" type="range" min="0" max="{end:.2f}" step="0.05" value="0" '
        f'aria-label="Time in the recording, seconds"></div></div>'
    )
    group = f'class="mh-ribbon" data-duration="{end:.3f}" role="group" aria-label="Actions over time"'
    return f"<div {group}>{drawn}{slider}</div>"


def _lane_name(lane: tuple[Any, str], named: Named) -> str:
    return lane[1] if named.recording.sequence.num_people == 1 or lane[0] is None else f"{lane[0]}: {lane[1]}"


def _bar(row: Mapping[str, Any], end: float, colour: str) -> str:
    left, width = 100 * row["start_s"] / end, 100 * (row["end_s"] - row["start_s"]) / end
    text = f"{row['label']}, {row['start_s']:.1f} to {row['end_s']:.1f} seconds, {row['score']:.0%}"
    style = f"left:{left:.3f}%;width:{width:.3f}%;background:{colour};opacity:{0.55 + 0.45 * float(row['score']):.2f}"
    where = f'data-seek="{row["start_s"]:.3f}" data-end="{row["end_s"]:.3f}"'
    name = f'title="{escape(text)}" aria-label="{escape(text)}"'
    return f'<button type="button" class="mh-bar" style="{style}" {where} {name}></button>'


def _cell(value: Any) -> str:
    if isinstance(value, Moment):
        return f'<button type="button" class="mh-time" data-seek="{value:.3f}">{value:.2f} s</button>'
    return escape(str(value))


def paragraphs(lines: Sequence[str]) -> str:
    """A paragraph per line."""
    return "".join(f"<p>{escape(line)}</p>" for line in lines)
