"""Evaluation protocols: which clips train and which test, as pure functions of the rows' facts; few-label subsets.

It does not read files and does not know keypoints. Clips that the authors list as unusable, such as NTU's with missing
skeletons, are left out before: `build_dataset(..., exclude=LIST)`.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from motionhub.data.datasets.bandai_namco import STYLES
from motionhub.data.datasets.dataset_names import data_set_name
from motionhub.data.datasets.few_labels import clips_with_enough, segment_counts
from motionhub.data.datasets.mixamo import TEST_CHARACTERS, TRAIN_CHARACTERS
from motionhub.data.datasets.smarthome import CLASS_NAMES as SMARTHOME_CLASSES
from motionhub.data.datasets.split_lists import (
    BANDAI_TEST_STYLES,
    NTU60_TRAIN_CAMERAS,
    NTU60_TRAIN_SUBJECTS,
    NTU120_TRAIN_SUBJECTS,
    SBU_FOLDS,
    SMARTHOME_CV_CLASSES,
    SMARTHOME_TRAIN_SUBJECTS,
    UAV_TRAIN_SUBJECTS,
)
from motionhub.data.datasets.tsu import TESTS, TRAINS


if TYPE_CHECKING:  # it takes a second to import, and who lists protocols does not need it
    from datasets import Dataset


Row = Mapping[str, Any]
Split = str | None  # "train", "test", or None: not part of the protocol

_SEEDED = re.compile(r"(random-80-20)-seed-(\d{1,9})")


@dataclass(frozen=True)
class Protocol:
    """A way to divide a data set.

    Args:
        name: as in `load_dataset(path, name)`.
        source: one sentence: what trains, what tests, and who defined it.
        assign: rows -> one split per row. Looks only at `label`, `subject`, `camera`, `setup`, `clip_id`.
        num_classes: how many of the first classes take part, or None for all.
        class_names: which classes take part, in the protocol's own numbering (`relabel`), or None for the data set's.
    """

    name: str
    source: str
    assign: Callable[[Sequence[Row]], list[Split]]
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None


def _by_value(
    column: str, is_train: Callable[[int], bool], is_test: Callable[[int], bool], num_classes: int | None = None
) -> Callable[[Sequence[Row]], list[Split]]:
    """An `assign` that looks at one column of each row by itself; unknown (-1) belongs to no split."""

    def split(row: Row) -> Split:
        value = int(row[column])
        if value < 0 or (num_classes is not None and not 0 <= int(row["label"]) < num_classes):
            return None
        return "train" if is_train(value) else "test" if is_test(value) else None

    return lambda rows: [split(row) for row in rows]


def random_80_20(seed: int) -> Protocol:
    """A fifth of the clips, chosen by the seed alone, tests: clips in the order of SHA-256("seed:clip_id")."""

    def assign(rows: Sequence[Row]) -> list[Split]:
        order = [hashlib.sha256(f"{seed}:{row['clip_id']}".encode()).digest() for row in rows]
        test = set(sorted(range(len(rows)), key=order.__getitem__)[: round(len(rows) / 5)])
        return ["test" if index in test else "train" for index in range(len(rows))]

    name = "random-80-20" if seed == 0 else f"random-80-20-seed-{seed}"
    return Protocol(name, f"80 % of the clips train, 20 % test, drawn by clip with seed {seed} (motionhub).", assign)


def _odd(number: int) -> bool:
    return number % 2 == 1


def _even(number: int) -> bool:
    return number % 2 == 0


def _ntu120(name: str, rule: str, assign: Callable[[Sequence[Row]], list[Split]]) -> Protocol:
    """A protocol of all 120 classes; clips of the first 60 alone are NTU-60 and take no part."""
    source = f"NTU-120: {rule} (Liu et al., TPAMI 2019; as public code for it divides them)."

    def of_all_classes(rows: Sequence[Row]) -> list[Split]:
        return assign(rows) if any(int(row["label"]) >= 60 for row in rows) else [None] * len(rows)

    return Protocol(name, source, of_all_classes)


def _leave_out(subject: int) -> Protocol:
    """Tests one subject, trains on all others."""
    source = f"Test on subject {subject}, train on all others (motionhub; the authors define no split)."
    name = f"leave-out-subject-{subject}"
    return Protocol(name, source, _by_value("subject", lambda number: number != subject, {subject}.__contains__))


def _smarthome_view(name: str, cameras: frozenset[int]) -> Protocol:
    """Tests camera 2 on 19 classes."""
    train = f"camera{'s' if len(cameras) > 1 else ''} {', '.join(map(str, sorted(cameras)))}"
    source = f"Cross-view: train on {train}, test on camera 2, 19 classes (Das et al., ICCV 2019)."
    labels = frozenset(SMARTHOME_CLASSES.index(title) for title in SMARTHOME_CV_CLASSES)
    by_camera = _by_value("camera", cameras.__contains__, {2}.__contains__)

    def assign(rows: Sequence[Row]) -> list[Split]:
        return [
            split if int(row["label"]) in labels else None for row, split in zip(rows, by_camera(rows), strict=True)
        ]

    return Protocol(name, source, assign, class_names=SMARTHOME_CV_CLASSES)


def _smarthome() -> dict[str, Protocol]:
    cross_subject = Protocol(
        "cs",
        "Cross-subject: train on the 11 listed performers, test on the others, 31 classes (Das et al., ICCV 2019).",
        _by_value("subject", SMARTHOME_TRAIN_SUBJECTS.__contains__, lambda subject: True),
    )
    one, five = _smarthome_view("cv1", frozenset({1})), _smarthome_view("cv2", frozenset({1, 3, 4, 6, 7}))
    return _protocols(cross_subject, one, five)


def _posetics() -> dict[str, Protocol]:
    source = "Train on the authors' training list, test on their validation list (Yang et al., BMVC 2021)."
    return _protocols(Protocol("official", source, _by_value("setup", {1}.__contains__, {0}.__contains__)))


def _tsu_list(name: str, title: str, digit: int) -> Protocol:
    """`digit` of `setup` (0 the last) is the clip's part in the list (`readers/tsu.py`)."""
    source = f"{title}: as the authors' smarthome_{name.upper()}_51.json says, 51 classes (Dai et al., TPAMI 2022)."
    part = 10**digit
    assign = _by_value("setup", lambda code: code // part % 10 == TRAINS, lambda code: code // part % 10 == TESTS)
    return Protocol(name, source, assign)


def _tsu() -> dict[str, Protocol]:
    return _protocols(_tsu_list("cs", "Cross-subject", 1), _tsu_list("cv", "Cross-view", 0))


def _charades() -> dict[str, Protocol]:
    lists = "Train on the authors' training videos, test on their testing ones"
    return _protocols(
        Protocol(
            "official",
            f"{lists}, without those that show no action, as published code does (Sigurdsson et al., ECCV 2016).",
            _by_value("setup", {1}.__contains__, {0}.__contains__),
        ),
        Protocol(
            "all-videos",
            f"{lists}, 7,985 and 1,863, with those that show no action (Sigurdsson et al., ECCV 2016).",
            _by_value("setup", {1, 3}.__contains__, {0, 2}.__contains__),
        ),
    )


def _bandai() -> dict[str, Protocol]:
    test = {STYLES.index(style) for style in BANDAI_TEST_STYLES}
    train = [style for style in STYLES if style not in BANDAI_TEST_STYLES]
    return _protocols(
        Protocol(
            "cross-style",
            f"Train on the styles {', '.join(train)}, test on {', '.join(sorted(BANDAI_TEST_STYLES))} (motionhub; the "
            "authors define no split).",
            _by_value("setup", lambda style: style not in test, test.__contains__),
        ),
        *(_leave_out_style(style) for style in STYLES),
    )


def _leave_out_style(style: str) -> Protocol:
    number = STYLES.index(style)
    source = f"Test on the style {style}, train on all others (motionhub; the authors define no split)."
    assign = _by_value("setup", lambda setup: setup != number, {number}.__contains__)
    return Protocol(f"leave-out-style-{style}", source, assign)


def _mixamo() -> Protocol:
    train = range(len(TRAIN_CHARACTERS))
    who = f"Test on the characters {', '.join(TEST_CHARACTERS)}, train on {len(train)} others"
    assign = _by_value("subject", train.__contains__, lambda character: character not in train)
    return Protocol("characters", f"{who} (Aberman et al., SIGGRAPH 2019, official code).", assign)


def _of_table(table: str) -> Protocol:
    source = f"As the column split of {table} says (the owner of the data)."
    return Protocol("split", source, _by_value("setup", {1}.__contains__, {0}.__contains__))


def _sbu_fold(number: int) -> Protocol:
    """Tests fold `number`, trains on the other folds that are there; other pairs of performers take no part."""

    def split(row: Row) -> Split:
        pair = (int(row["subject"]), int(row["setup"]))
        if pair in SBU_FOLDS[number - 1]:
            return "test"
        return "train" if any(pair in fold for fold in SBU_FOLDS) else None

    source = (
        f"Test on fold {number} of the authors' 5-fold cross-validation, train on the other folds that are there; "
        "folds by performer pair, as listed in public code for this data set (Yun et al., CVPR Workshops 2012)."
    )
    return Protocol(f"folds-test-{number}", source, lambda rows: [split(row) for row in rows])


def _protocols(*protocols: Protocol) -> dict[str, Protocol]:
    return {protocol.name: protocol for protocol in protocols}


# Reader name -> protocol name -> protocol. The first that the data at hand can fill is a saved dataset's default.
PROTOCOLS: dict[str, dict[str, Protocol]] = {
    "bandai-namco": _bandai(),
    "charades": _charades(),
    "folder": _protocols(
        _of_table("labels.csv"),
        random_80_20(seed=0),
        Protocol(
            "cross-subject",
            "Train on the odd subjects, test on the even ones, by the column subject of labels.csv (motionhub).",
            _by_value("subject", _odd, _even),
        ),
    ),
    "mixamo": _protocols(_mixamo()),
    "kinetics-skeleton": _protocols(
        Protocol(
            "official",
            "Train on the training clips, test on the validation clips, by folder (Yan et al., AAAI 2018).",
            _by_value("setup", {1}.__contains__, {0}.__contains__),
        ),
    ),
    "n-ucla": _protocols(
        Protocol(
            "cross-view",
            "Train on views 1 and 2, test on view 3 (Wang et al., CVPR 2014).",
            _by_value("camera", {1, 2}.__contains__, {3}.__contains__),
        ),
        Protocol(
            "cross-view-1-to-2",
            "Train on view 1, test on view 2 (motionhub, for data without view 3).",
            _by_value("camera", {1}.__contains__, {2}.__contains__),
        ),
        Protocol(
            "cross-view-2-to-1",
            "Train on view 2, test on view 1 (motionhub, for data without view 3).",
            _by_value("camera", {2}.__contains__, {1}.__contains__),
        ),
        Protocol(
            "cross-subject",
            "Train on the odd subjects, test on the even ones, all views (motionhub; the authors leave one out).",
            _by_value("subject", _odd, _even),
        ),
    ),
    "ntu-rgbd": _protocols(
        Protocol(
            "xsub",
            "NTU-60: train on the 20 listed performers, test on the other 20 (Shahroudy et al., CVPR 2016).",
            _by_value("subject", NTU60_TRAIN_SUBJECTS.__contains__, lambda subject: True, num_classes=60),
            num_classes=60,
        ),
        Protocol(
            "xview",
            "NTU-60: train on cameras 2 and 3, test on camera 1 (Shahroudy et al., CVPR 2016).",
            _by_value("camera", NTU60_TRAIN_CAMERAS.__contains__, {1}.__contains__, num_classes=60),
            num_classes=60,
        ),
        _ntu120(
            "xsub-120",
            "train on the 53 listed performers, test on the other 53",
            _by_value("subject", NTU120_TRAIN_SUBJECTS.__contains__, lambda subject: True),
        ),
        _ntu120("xset-120", "train on the even setups, test on the odd ones", _by_value("setup", _even, _odd)),
    ),
    "penn-action": _protocols(
        Protocol(
            "official",
            "The files' own train flag (Zhang et al., ICCV 2013): 1,258 clips train, 1,068 test.",
            _by_value("setup", {1}.__contains__, {0}.__contains__),
        ),
        random_80_20(seed=0),
    ),
    "pku-mmd": _protocols(
        Protocol(
            "xview",
            "Cross-view: train on the middle and right cameras, test on the left one (Liu et al., 2017; verify: not "
            "read from the paper).",
            _by_value("camera", {1, 2}.__contains__, {0}.__contains__),
        ),
        Protocol(
            "xsub",
            "Cross-subject: as the authors' cross-subject.txt says, which has to lie with the recordings "
            "(Liu et al., 2017).",
            _by_value("setup", {1}.__contains__, {0}.__contains__),
        ),
    ),
    "posecap": _protocols(_of_table("posecap.csv")),
    "posecap-3d": _protocols(_of_table("posecap.csv")),
    "posetics": _posetics(),
    "posetics-3d": _posetics(),
    "precog": _protocols(
        Protocol(
            "cross-subject",
            "Train on the odd subjects, test on the even ones (motionhub; the authors define no split).",
            _by_value("subject", _odd, _even),
        ),
        Protocol(
            "subjects-1-6",
            "Train on subjects 1 to 6, test on 7 and 8, leave out the others (motionhub; the authors define no "
            "split).",
            _by_value("subject", {1, 2, 3, 4, 5, 6}.__contains__, {7, 8}.__contains__),
        ),
        *(_leave_out(subject) for subject in range(1, 13)),
    ),
    "sbu": _protocols(*(_sbu_fold(number) for number in range(1, len(SBU_FOLDS) + 1))),
    "smarthome": _smarthome(),
    "smarthome-3d": _smarthome(),
    "tsu": _tsu(),
    "tsu-3d": _tsu(),
    "uav-human": _protocols(
        *(
            Protocol(
                f"csv{number}",
                f"Cross-subject version {number}: train on the {len(subjects)} listed performers, test on the other "
                f"{119 - len(subjects)} (Li et al., CVPR 2021).",
                _by_value("subject", subjects.__contains__, range(119).__contains__),
            )
            for number, subjects in enumerate(UAV_TRAIN_SUBJECTS, start=1)
        )
    ),
    "ui-prmd": _protocols(
        Protocol(
            "cross-subject",
            "Train on the odd subjects, test on the even ones (motionhub; the authors define no split).",
            _by_value("subject", _odd, _even),
        ),
        *(_leave_out(subject) for subject in range(1, 11)),
    ),
    "utd-mhad": _protocols(
        Protocol(
            "cross-subject",
            "Train on subjects 1, 3, 5, 7, test on 2, 4, 6, 8 (Chen et al., ICIP 2015).",
            _by_value("subject", _odd, _even),
        ),
    ),
}


def relabel(dataset: "Dataset", protocol: Protocol) -> "Dataset":
    """The rows with labels numbered as the protocol does; a saved dataset keeps the data set's own numbers.

    Raises:
        ValueError: a row has a label that takes no part in the protocol.
    """
    if protocol.class_names is None:
        return dataset
    from datasets import ClassLabel

    names, columns = dataset.features["label"].names, dataset.column_names
    number_of = {names.index(name): number for number, name in enumerate(protocol.class_names)}
    strangers = {label for label in dataset["label"] if label not in number_of}
    if strangers:
        raise ValueError(f"Labels {sorted(strangers)} take no part in protocol {protocol.name!r}; load its splits.")
    labels = [number_of[label] for label in dataset["label"]]
    feature = ClassLabel(names=list(protocol.class_names))
    return dataset.remove_columns("label").add_column("label", labels, feature=feature).select_columns(columns)


def get_protocol(reader: str, name: str) -> Protocol:
    """The protocol `name` of a reader's data set; `random-80-20-seed-7` is `random-80-20` with seed 7.

    Raises:
        ValueError: the data set has no such protocol; the message lists those it has.
    """
    protocols = PROTOCOLS.get(data_set_name(reader, PROTOCOLS) or reader, {})
    seeded = _SEEDED.fullmatch(name)
    if seeded and seeded.group(1) in protocols:
        return random_80_20(int(seeded.group(2)))
    if name not in protocols:
        raise ValueError(f"{reader!r} has no protocol {name!r}; it has {list(protocols)}.")
    return protocols[name]


def few_label_subset(dataset: "Dataset", fraction: float, seed: int) -> "Dataset":
    """A share of every class, drawn with `seed`: `round(fraction * clips)` of each class, at least one.

    Rows without a label (-1) are left out. The rows keep their order. Where no clip has a label of its own, but frames
    or segments have, clips are taken until every class has that share of its actions, see `few_labels`.

    Raises:
        ValueError: fraction is not in (0, 1], or no row has a label.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be in (0, 1], for example 0.05 for 5 %, got {fraction}.")
    labels = np.asarray(dataset["label"])
    generator = np.random.default_rng(seed)
    if not (labels >= 0).any():
        counts = segment_counts(dataset)
        if not counts.any():
            raise ValueError("few_label_subset needs labels, but every label is -1, and no frame or segment has one.")
        total = counts.sum(axis=0)
        wanted = np.minimum(total, np.maximum(1, np.round(fraction * total).astype(np.int64)))
        return dataset.select(clips_with_enough(counts, wanted, generator))
    chosen: list[int] = []
    for label in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == label)
        chosen += generator.permutation(rows)[: max(1, round(fraction * len(rows)))].tolist()
    return dataset.select(sorted(chosen))
