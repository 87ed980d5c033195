"""How many clips, classes and performers the papers say a data set has, and whether a build has them too.

It does not read files and does not decide who trains (`splits.py`). A number that no source at hand states is None and
is not compared; `source` says of every number where it comes from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from motionhub.data.datasets.readers import get_reader
from motionhub.data.datasets.splits import Split
from motionhub.skeletons.rows import classes_of


Expect = Literal["paper", "subset"]
EXPECTATIONS = ("paper", "subset")
# Not a class of the papers' counts: the frames between the actions.
BACKGROUND = "background"


@dataclass(frozen=True)
class PaperCounts:
    """What a paper states of one edition of a data set; None where it does not.

    Args:
        edition: what distinguishes it, in words.
        source: who says so.
        clips, classes, subjects: of the whole.
        splits: protocol -> clips that train, clips that test.
    """

    edition: str
    source: str
    clips: int | None = None
    classes: int | None = None
    subjects: int | None = None
    splits: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)


_NTU60 = "Shahroudy et al., CVPR 2016 (56,880 also in the thesis, table 2.1)"
_NTU60_SPLITS = {"xsub": (40_320, 16_560), "xview": (37_920, 18_960)}
_NTU60_LISTED = {"xsub": (40_091, 16_487), "xview": (37_646, 18_932)}
_NTU120 = "Liu et al., TPAMI 2019 (114,480 also in the thesis, table 2.1; the rest from general knowledge)"
_SMARTHOME = (PaperCounts("all clips", "Das et al., ICCV 2019; OR-VPE, section IV (18 performers)", 16_115, 31, 18),)
_POSETICS = (
    PaperCounts(
        "all clips",
        "thesis, sections 3.5 and 3.7 (142,000 in round numbers)",
        131_268 + 10_669,
        320,
        splits={"official": (131_268, 10_669)},
    ),
)
_TSU = (
    PaperCounts(
        "all videos",
        "Dai et al., TPAMI 2022; the authors' lists",
        536,
        51,
        splits={"cs": (351, 185), "cv": (369, 167)},
    ),
)
_POSECAP = (
    PaperCounts("all clips", "thesis, table 6.1 (1,000,000 clips is a round number, not compared)", None, 811),
)

# Reader -> editions. Where several have the classes at hand, the one with as many clips is compared, or the nearest.
PAPER_COUNTS: dict[str, tuple[PaperCounts, ...]] = {
    "bandai-namco": (
        PaperCounts(
            "data set 2",
            "counted in the authors' repository; the split is motionhub's",
            2_902,
            10,
            splits={"cross-style": (1_769, 1_133)},
        ),
    ),
    "charades": (
        PaperCounts("all videos", "Sigurdsson et al., ECCV 2016", 9_848, 157, splits={"all-videos": (7_985, 1_863)}),
    ),
    "kinetics-skeleton": (
        PaperCounts(
            "clips with a skeleton",
            "Liu et al., CVPR 2020 (MS-G3D), from general knowledge",
            240_436 + 19_796,
            400,
            splits={"official": (240_436, 19_796)},
        ),
    ),
    # The papers at hand disagree on all views together: 1,475 (thesis, table 2.1) or 1,194 (OR-VPE, section IV).
    "n-ucla": (
        PaperCounts(
            "three views",
            "OR-VPE, section IV; the 1,020 clips of views 1 and 2 counted in the files",
            None,
            10,
            10,
            {"cross-view": (1_020, None)},
        ),
    ),
    "ntu-rgbd": (
        PaperCounts("NTU-60, all clips", _NTU60, 56_880, 60, 40, _NTU60_SPLITS),
        PaperCounts(
            "NTU-60 without the 302 clips of the authors' list of missing skeletons",
            f"{_NTU60}; the splits as 2s-AGCN's code has them",
            56_880 - 302,
            60,
            40,
            _NTU60_LISTED,
        ),
        PaperCounts("NTU-120, all clips", _NTU120, 114_480, 120, 106, _NTU60_SPLITS),
        PaperCounts(
            "NTU-120 without the 535 clips of the authors' list of missing skeletons",
            _NTU120,
            114_480 - 535,
            120,
            106,
            {**_NTU60_LISTED, "xsub-120": (63_026, 50_919), "xset-120": (54_468, 59_477)},
        ),
    ),
    "penn-action": (
        PaperCounts(
            "all clips", "Zhang et al., ICCV 2013; thesis, table 2.1", 2_326, 15, splits={"official": (1_258, 1_068)}
        ),
    ),
    "pku-mmd": (
        PaperCounts(
            "phase 1",
            "Liu et al., 2017 (1,076 videos also in the thesis, table 2.1; the splits from general knowledge)",
            1_076,
            51,
            splits={"xsub": (944, 132), "xview": (717, 359)},
        ),
    ),
    "posecap": _POSECAP,
    "posecap-3d": _POSECAP,
    "posetics": _POSETICS,
    "posetics-3d": _POSETICS,
    "sbu": (PaperCounts("all folds", "Yun et al., CVPR Workshops 2012, from general knowledge", 282, 8),),
    "smarthome": _SMARTHOME,
    "smarthome-3d": _SMARTHOME,
    "tsu": _TSU,
    "tsu-3d": _TSU,
    # The thesis says 22,476 in the text and 21,224 in table 2.1.
    "uav-human": (PaperCounts("labelled clips", "Li et al., CVPR 2021; thesis, section 2.1", 22_476, 155, 119),),
    "ui-prmd": (PaperCounts("all episodes", "Vakanski et al., Data 2018, from general knowledge", None, 10, 10),),
    "utd-mhad": (PaperCounts("all clips", "Chen et al., ICIP 2015, from general knowledge", 861, 27, 8),),
}


def check_counts(
    reader: str,
    rows: Iterable[Mapping[str, Any]],
    assigned: Mapping[str, Sequence[Split]],
    *,
    expect: Expect = "paper",
    classes: Iterable[int] | None = None,
) -> list[str]:
    """Compares a build with what the papers state, and says every difference.

    Args:
        reader: name of the data set; one without stated counts is never different.
        rows: of the whole data set, at least with `label` and `subject`.
        assigned: protocol -> one split per row; protocols without stated counts are passed over.
        expect: "paper": a difference is an error. "subset": fewer than stated is accepted, more is an error still.
        classes: that occur, where the rows themselves do not say (a label that changes within the clip); None: as the
            rows say.

    Returns:
        The differences, one line each; empty where everything is as stated.

    Raises:
        ValueError: there is a difference that `expect` does not accept; the message names all of them and the source.
    """
    if expect not in EXPECTATIONS:
        raise ValueError(f"expect must be one of {EXPECTATIONS}, got {expect!r}.")
    if reader not in PAPER_COUNTS:
        return []
    found = _count(reader, rows, classes)
    edition = _edition(PAPER_COUNTS[reader], found)
    compared = [(what, number, getattr(edition, what)) for what, number in found.items()]
    for protocol, stated in edition.splits.items():
        splits = assigned.get(protocol)
        if splits is not None:
            compared += [
                (f"{protocol} {name} clips", sum(split == name for split in splits), number)
                for name, number in zip(("train", "test"), stated, strict=True)
            ]
    different = [(what, got, stated) for what, got, stated in compared if _differs(got, stated)]
    lines = [
        f"{what}: none here (how many there are is not stated)"
        if stated is None
        else f"{what}: {got:,} here, {stated:,} stated"
        for what, got, stated in different
    ]
    more = [
        line for line, (_, got, stated) in zip(lines, different, strict=True) if stated is not None and got > stated
    ]
    refused = lines if expect == "paper" else more
    if refused:
        fix = "Check for clips that are there twice"
        if not more:
            fix = 'Complete the data, or accept a part of it: expect="subset" (--expect subset in a shell)'
        raise ValueError(
            f"{reader}: the counts are not those of {edition.edition} ({edition.source}): {'; '.join(refused)}. {fix}."
        )
    return lines


def _count(reader: str, rows: Iterable[Mapping[str, Any]], classes: Iterable[int] | None) -> dict[str, int | None]:
    """Clips, classes and subjects; None where the rows do not say."""
    clips, subjects, labels = 0, set(), set(() if classes is None else classes)
    for row in rows:
        clips += 1
        subjects.add(int(row["subject"]))
        if classes is None:
            labels |= classes_of(row)
    names = get_reader(reader).class_names
    labels = {label for label in labels if label >= 0 and (label >= len(names) or names[label] != BACKGROUND)}
    subjects.discard(-1)
    return {"clips": clips, "classes": len(labels) or None, "subjects": len(subjects) or None}


def _edition(editions: Sequence[PaperCounts], found: Mapping[str, int | None]) -> PaperCounts:
    """The one that has as many classes and nearly as many clips."""
    classes, clips = found["classes"] or 0, found["clips"] or 0
    possible = [edition for edition in editions if (edition.classes or classes) >= classes] or editions
    fewest = min(edition.classes or 0 for edition in possible)
    possible = [edition for edition in possible if (edition.classes or 0) == fewest]
    return min(possible, key=lambda edition: abs((edition.clips or clips) - clips))


def _differs(got: int | None, stated: int | None) -> bool:
    """A split without a stated number must not be empty; what the rows do not say is not compared."""
    return got is not None and (got != stated if stated is not None else got == 0)
