"""A row holds the whole sequence: what goes in comes out, through Arrow, parquet and every row format."""

import numpy as np
import pytest
from datasets import Dataset

from motionhub.data.build.build import rows_to_dataset
from motionhub.data.formats.schema import features
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import (
    COLUMNS,
    SCHEMA_VERSION,
    classes_of,
    frame_labels_of,
    from_row,
    segments_of,
    to_row,
)
from motionhub.skeletons.sequence import SkeletonSequence


def sequence_of(people: int, frames: int, *, confidence: bool = False, seed: int = 0) -> SkeletonSequence:
    generator = np.random.default_rng(seed)
    keypoints = generator.normal(size=(people, frames, 20, 3)).astype(np.float32)
    keypoints[generator.random((people, frames, 20)) < 0.2] = np.nan
    return SkeletonSequence(
        keypoints,
        get_layout("kinect-20"),
        fps=29.97,
        unit="metre",
        confidence=generator.random((people, frames, 20)).astype(np.float32) if confidence else None,
        image_size=(1920, 1080) if confidence else None,
        track_ids=tuple(72057594037944738 - 4 * person for person in range(people)),
    )


def assert_same(found: SkeletonSequence, expected: SkeletonSequence, dtype: type = np.float64) -> None:
    assert found.keypoints.dtype == np.float32
    np.testing.assert_array_equal(found.keypoints, expected.keypoints)
    assert (found.layout, found.unit) == (expected.layout, expected.unit)
    assert float(dtype(found.fps)) == float(dtype(expected.fps))
    assert (found.image_size, found.track_ids) == (expected.image_size, expected.track_ids)
    if expected.confidence is None:
        assert found.confidence is None
    else:
        np.testing.assert_array_equal(found.confidence, expected.confidence)


CASES = {
    "one person": sequence_of(1, 7),
    "two people with confidence": sequence_of(2, 5, confidence=True),
    "nobody": sequence_of(0, 4),
    "one frame": sequence_of(1, 1),
    "all missing": sequence_of(1, 3).replace(keypoints=np.full((1, 3, 20, 3), np.nan)),
    "z up": sequence_of(1, 3).replace(up="z"),
    "pixels": SkeletonSequence(np.ones((3, 13, 2)), get_layout("penn-13"), 30, "pixel", image_size=(480, 270)),
}


@pytest.mark.parametrize("case", CASES)
def test_to_row_then_from_row_is_identity(case):
    assert_same(from_row(to_row(CASES[case])), CASES[case])


@pytest.mark.parametrize("row_format", [None, "numpy", "torch"])
@pytest.mark.parametrize("build", ["rows_to_dataset", "from_list"])
def test_ragged_rows_survive_arrow_in_every_format(build, row_format):
    rows = [to_row(sequence, label=0) for sequence in CASES.values()]
    if build == "rows_to_dataset":
        dataset = rows_to_dataset(rows, ["jump"])
    else:
        dataset = Dataset.from_list(rows, features=features(["jump"]))
    for row, expected in zip(dataset.with_format(row_format), CASES.values(), strict=True):
        # The torch format of datasets rounds every float column to float32.
        assert_same(from_row(row), expected, dtype=np.float32 if row_format == "torch" else np.float64)


def test_rows_survive_parquet(tmp_path):
    rows_to_dataset([to_row(sequence) for sequence in CASES.values()], None).to_parquet(tmp_path / "rows.parquet")
    dataset = Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path))
    for row, expected in zip(dataset, CASES.values(), strict=True):
        assert_same(from_row(row), expected)


def test_columns_are_exactly_the_published_ones():
    expected = [
        "schema_version",
        "keypoints",
        "confidence",
        "num_people",
        "num_frames",
        "num_joints",
        "num_dims",
        "layout",
        "fps",
        "unit",
        "image_width",
        "image_height",
        "track_ids",
        "up",
        "label",
        "frame_labels",
        "segment_labels",
        "segment_starts",
        "segment_ends",
        "subject",
        "camera",
        "setup",
        "clip_id",
        "caption",
        "class_descriptions",
        "source",
        "licence",
    ]
    assert list(COLUMNS) == list(features(["a"])) == list(to_row(CASES["pixels"])) == expected


def test_keypoints_are_flat_row_major_and_missing_stays_nan_not_null():
    row = to_row(CASES["one person"])
    assert row["keypoints"][(3 * 20 + 4) * 3 + 2] == CASES["one person"].keypoints[0, 3, 4, 2] or np.isnan(
        CASES["one person"].keypoints[0, 3, 4, 2]
    )
    column = rows_to_dataset([row], None).data.table.column("keypoints").combine_chunks()
    assert column.flatten().null_count == 0
    assert np.isnan(column.flatten().to_numpy()).any()


def test_unknown_facts_are_minus_one_and_known_ones_are_kept():
    row = to_row(CASES["pixels"])
    assert [row[name] for name in ("label", "subject", "camera", "setup")] == [-1] * 4
    row = to_row(CASES["pixels"], label=0, subject=3, camera=0, setup=1, clip_id="c", source="s", licence="l")
    assert [row[name] for name in ("label", "subject", "camera", "setup")] == [0, 3, 0, 1]
    assert rows_to_dataset([row], ["jump"])[0]["label"] == 0
    assert (row["image_width"], row["image_height"]) == (480, 270)


def test_a_layout_that_a_name_cannot_bring_back_comes_back_whole():
    own = SkeletonLayout("kinect-20", tuple(f"joint_{index}" for index in range(20)), (), "joint_0")
    sequence = SkeletonSequence(np.ones((2, 20, 3)), own, 30, "metre")
    assert from_row(to_row(sequence)).layout == own != get_layout("kinect-20")


def test_rows_that_do_not_fit_say_why():
    row = to_row(CASES["one person"])
    with pytest.raises(ValueError, match=r"'keypoints' must hold 1\*8\*20\*3 numbers, got 420"):
        from_row({**row, "num_frames": 8})
    with pytest.raises(ValueError, match="upgrade motionhub"):
        from_row({**row, "schema_version": SCHEMA_VERSION + 1})
    with pytest.raises(ValueError, match="needs the columns.*'fps'"):
        from_row({name: value for name, value in row.items() if name != "fps"})


def test_a_row_of_version_1_without_frame_labels_still_reads():
    row = {name: value for name, value in to_row(CASES["one person"]).items() if name != "frame_labels"}
    old = {**row, "schema_version": 1}
    assert_same(from_row(old), CASES["one person"])
    assert frame_labels_of(old) is None


@pytest.mark.parametrize("row_format", [None, "numpy", "torch"])
def test_frame_labels_survive_arrow_beside_rows_without_any(row_format):
    rows = [
        to_row(CASES["one person"], frame_labels=[0, 0, 1, -1, 2, 2, 0]),
        to_row(CASES["two people with confidence"]),
    ]
    labelled, plain = rows_to_dataset(rows, ["rest", "a", "b"]).with_format(row_format)
    assert frame_labels_of(labelled).tolist() == [0, 0, 1, -1, 2, 2, 0]
    assert frame_labels_of(plain) is None


def test_frame_labels_become_one_column_per_class_and_none_where_unknown():
    row = to_row(CASES["one frame"].replace(keypoints=np.ones((1, 3, 20, 3))), frame_labels=[1, -1, 0])
    assert frame_labels_of(row, num_classes=2).tolist() == [[0, 1], [0, 0], [1, 0]]
    with pytest.raises(ValueError, match="below num_classes=1, got 1"):
        frame_labels_of(row, num_classes=1)


def test_frame_labels_are_one_per_frame():
    with pytest.raises(ValueError, match="frame_labels must be 7 classes, one per frame, got 6"):
        to_row(CASES["one person"], frame_labels=[0] * 6)
    with pytest.raises(ValueError, match="must hold 7 classes, got 6"):
        frame_labels_of({**to_row(CASES["one person"]), "frame_labels": [0] * 6})


OLDER = {1: ("frame_labels", "segment_labels", "segment_starts", "segment_ends", "caption", "class_descriptions")}
OLDER |= {2: OLDER[1][1:], 3: OLDER[1][-1:]}


@pytest.mark.parametrize("version", OLDER)
def test_rows_of_older_versions_read_without_the_columns_they_lack(version):
    row = {name: value for name, value in to_row(CASES["one person"]).items() if name not in OLDER[version]}
    old = {**row, "schema_version": version}
    assert_same(from_row(old), CASES["one person"])
    assert frame_labels_of(old) is None and segments_of(old) == []


@pytest.mark.parametrize("row_format", [None, "numpy", "torch"])
def test_overlapping_segments_and_captions_survive_arrow(row_format):
    segments = [(2, 0, 3), (0, 2, 7), (2, 6, 7)]
    rows = [
        to_row(CASES["one person"], segments=segments, caption="stands up\nwalks"),
        to_row(CASES["two people with confidence"], segments=[]),
        to_row(CASES["one frame"], label=1),
    ]
    labelled, nothing, plain = rows_to_dataset(rows, ["a", "b", "c"]).with_format(row_format)
    assert segments_of(labelled) == segments and labelled["caption"] == "stands up\nwalks"
    expected = [[0, 0, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 1]]
    assert frame_labels_of(labelled, num_classes=3).tolist() == expected
    assert frame_labels_of(nothing, num_classes=3).tolist() == [[0] * 3] * 5
    assert frame_labels_of(plain) is None
    assert [classes_of(row) for row in (labelled, nothing, plain)] == [{0, 2}, set(), {1}]


@pytest.mark.parametrize("segment", [(0, 3, 3), (0, 4, 2), (0, 0, 8), (0, -1, 2), (-1, 0, 2)])
def test_segments_lie_in_the_clip(segment):
    with pytest.raises(ValueError, match="0 <= start < end <= 7, got"):
        to_row(CASES["one person"], segments=[segment])


def test_overlapping_segments_have_no_single_class_per_frame():
    row = to_row(CASES["one person"], segments=[(1, 0, 2)])
    with pytest.raises(ValueError, match="num_classes"):
        frame_labels_of(row)
    with pytest.raises(ValueError, match="below num_classes=1, got 1"):
        frame_labels_of(row, num_classes=1)
    with pytest.raises(ValueError, match="equally long"):
        segments_of({**row, "segment_ends": []})
