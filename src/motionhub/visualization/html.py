"""Reports as one HTML file: text escaped, images inside, nothing loaded from elsewhere, readable when printed."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from motionhub.atomic import write_text


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #26282c; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #e2e4e8; }
table { border-collapse: collapse; margin: 1rem 0; } img { max-width: 100%; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #e2e4e8; }
@media print { h2 { break-after: avoid; } img, table { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Args:
        title: its heading.
        text: paragraphs.
        table: rows of cells, the first is the header; empty for none.
        image: a PNG to embed, or None.
        caption: of the image, and its text for those who do not see it.
    """

    title: str
    text: Sequence[str] = ()
    table: Sequence[Sequence[object]] = field(default_factory=list)
    image: Path | None = None
    caption: str = ""


def write_report(title: str, sections: Sequence[Section], path: str | Path) -> Path:
    """Writes the report as one file.

    Raises:
        ValueError: another suffix than `.html`.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path}: a report is written as .html, got {path.suffix!r}.")
    parts = [f"<h1>{escape(title)}</h1>", *(_section(section) for section in sections)]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    head += '<meta name="viewport" content="width=device-width">'
    body = "\n".join(parts)
    write_text(path, f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n')
    return path


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>", *(f"<p>{escape(text)}</p>" for text in section.text)]
    if section.table:
        header, *rows = section.table
        lines = [_row(header, "th"), *(_row(row, "td") for row in rows)]
        parts.append("<table>\n" + "\n".join(lines) + "\n</table>")
    if section.image is not None:
        data = base64.b64encode(section.image.read_bytes()).decode("ascii")
        caption = escape(section.caption, quote=True)
        parts.append(f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"></figure>')
    return "\n".join(parts)


def _row(cells: Sequence[object], kind: str) -> str:
    return "<tr>" + "".join(f"<{kind}>{escape(str(cell))}</{kind}>" for cell in cells) + "</tr>"
