"""Labels of source datasets merged into fewer classes, as Posetics (320) and PoseCap-1M (811) do: a table.

The thesis tells how many classes there are and one example of a merge; the authors publish no list.
`label_merging.csv` beside this file holds what the thesis states, and a table of the user's completes it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from motionhub.data.formats.files import bad_file, table_lines


COLUMNS = ("merging", "source", "label", "class", "description", "stated_in")
STATED = Path(__file__).with_name("label_merging.csv")
# Yang, thesis 2024: sections 3.5 and 6.3.1, table 6.1.
NUM_CLASSES = {"posetics": 320, "posecap": 811}
MAX_BYTES = 2**26


@dataclass(frozen=True)
class LabelMerging:
    """What becomes of which label.

    Args:
        name: a key of `NUM_CLASSES`.
        classes: `(source, label)` -> class, in the order of the tables. A source of "" holds for every source.
        descriptions: class -> what it looks like, for training with text; may lack some.
    """

    name: str
    classes: dict[tuple[str, str], str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)

    def class_of(self, label: str, source: str = "") -> str:
        """The class of a label; one that no table lists keeps its own name, as the thesis says of most."""
        return self.classes.get((source, label), self.classes.get(("", label), label))

    def class_names(self, labels: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """The classes of `(source, label)` pairs: those of the tables in their order, then the others by name."""
        found = {self.class_of(label, source) for source, label in labels}
        listed = [name for name in dict.fromkeys(self.classes.values()) if name in found]
        return (*listed, *sorted(found - set(listed)))


def read_label_merging(name: str, table: str | Path | None = None) -> LabelMerging:
    """What the thesis states about `name`, completed by a table of the user's, whose lines go first.

    Args:
        name: "posetics" or "posecap".
        table: CSV with the columns source, label, class, and perhaps description, merging and stated_in. Lines whose
            `merging` is another dataset's are passed over.

    Raises:
        ValueError: no merging is called so; the table is absent or broken, gives a label two classes, or a class two
            descriptions.
    """
    if name not in NUM_CLASSES:
        raise ValueError(f"No label merging is called {name!r}; there are {list(NUM_CLASSES)}.")
    merging = LabelMerging(name)
    if table is not None:
        _add(merging, Path(table))
    own = set(merging.classes)
    stated = LabelMerging(name)
    _add(stated, STATED)
    merging.classes.update({pair: title for pair, title in stated.classes.items() if pair not in own})
    return merging


def _add(merging: LabelMerging, path: Path) -> None:
    for number, line in table_lines(path, COLUMNS, COLUMNS[1:4], MAX_BYTES):
        place = f"line {number}"
        if line.get("merging") not in (None, "", merging.name):
            continue
        pair, title, description = (line["source"], line["label"]), line["class"], line.get("description") or ""
        if not pair[1] or not title:
            raise bad_file(path, place, f"expected a label and a class, got {pair[1]!r} and {title!r}.")
        if merging.classes.setdefault(pair, title) != title:
            raise bad_file(path, place, f"{pair} is {merging.classes[pair]!r} in an earlier line, here {title!r}.")
        if description and merging.descriptions.setdefault(title, description) != description:
            raise bad_file(path, place, f"class {title!r} has another description in an earlier line.")
