"""Labels of source data sets merged into fewer classes, as Posetics (320) and PoseCap-1M (811) do: a table.

It does not know clips. The thesis tells how many classes there are and one example of a merge; the authors publish no
list. `label_merging.csv` beside this file holds what the thesis states, and a table of the user's completes it.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from datasets import Dataset


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

    def check_complete(self, labels: Iterable[tuple[str, str]]) -> None:
        """Raises ValueError unless the labels make as many classes as the thesis says."""
        expected, names = NUM_CLASSES[self.name], self.class_names(labels)
        if len(names) != expected:
            what = f"the labels make {len(names)} classes, but {self.name} has {expected}"
            fix = f"list the merges in a table with the columns {COLUMNS[:4]}: read_label_merging({self.name!r}, FILE)"
            raise ValueError(f"{what} (thesis). {fix}.")


def read_label_merging(name: str, table: str | Path | None = None) -> LabelMerging:
    """What the thesis states about `name`, completed by a table of the user's, whose lines go first.

    Args:
        name: "posetics" or "posecap".
        table: CSV with the columns source, label, class, and perhaps description, merging and stated_in. Lines whose
            `merging` is another data set's are passed over.

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


def merge_labels(dataset: "Dataset", merging: LabelMerging, source: str = "") -> "Dataset":
    """The rows with the merged classes as labels; a row without a label (-1) keeps that.

    Raises:
        ValueError: the labels of the data set have no names.
    """
    from datasets import ClassLabel  # a second of imports that the readers, which merge nothing here, do not pay

    feature = dataset.features["label"]
    if not isinstance(feature, ClassLabel):
        raise ValueError(f"Merging needs labels with names (ClassLabel), but column 'label' is {feature}.")
    names = merging.class_names((source, title) for title in feature.names)
    number_of = [names.index(merging.class_of(title, source)) for title in feature.names]
    labels = [number_of[label] if label >= 0 else -1 for label in dataset["label"]]
    columns, renamed = dataset.column_names, ClassLabel(names=list(names))
    return dataset.remove_columns("label").add_column("label", labels, feature=renamed).select_columns(columns)


def _add(merging: LabelMerging, path: Path) -> None:
    lines = _lines(path)
    for number, line in lines:
        if line.get("merging") not in (None, "", merging.name):
            continue
        pair, title, description = (line["source"], line["label"]), line["class"], line.get("description") or ""
        if not pair[1] or not title:
            raise _broken(path, number, f"expected a label and a class, got {pair[1]!r} and {title!r}.")
        if merging.classes.setdefault(pair, title) != title:
            raise _broken(path, number, f"{pair} is {merging.classes[pair]!r} in an earlier line, here {title!r}.")
        if description and merging.descriptions.setdefault(title, description) != description:
            raise _broken(path, number, f"class {title!r} has another description in an earlier line.")


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path}: is larger than {MAX_BYTES} bytes: that is no table of labels.")
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            lines = [(reader.line_num, [word.strip() for word in words]) for words in reader]
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); give a CSV table of labels.") from None
    except csv.Error as error:
        raise ValueError(f"{path}: not valid CSV ({error}).") from None
    unknown = [name for name in header if name not in COLUMNS]
    if not {"source", "label", "class"} <= set(header) or unknown or len(set(header)) < len(header):
        raise _broken(path, 1, f"expected columns among {COLUMNS}, with source, label and class, got {header[:12]}.")
    filled = [(number, words) for number, words in lines if any(words)]
    ragged = next(((number, words) for number, words in filled if len(words) != len(header)), None)
    if ragged:
        raise _broken(path, ragged[0], f"expected {len(header)} fields, got {len(ragged[1])}.")
    return [(number, dict(zip(header, words, strict=True))) for number, words in filled]


def _broken(path: Path, number: int, reason: str) -> ValueError:
    return ValueError(f"{path}: line {number}: {reason}")
