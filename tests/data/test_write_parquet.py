"""Parquet: a row a clip in the published columns, whole through write and read; older, foreign and hostile files."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

import motionhub
from motionhub.data.datasets.reading import find_format
from motionhub.data.formats.schema import features
from motionhub.data.synthetic.generate import Scene, generate
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.rows import COLUMNS, SCHEMA_VERSION, from_row, to_row
from motionhub.skeletons.sequence import SkeletonSequence


def clips() -> list[SkeletonSequence]:
    """One with everything and missing joints, one with nothing that may be absent, one without people."""
    clip = generate("wave", scene=Scene(noise=0.01, dropout=0.1), second_person="kick", fps=29.97, num_frames=20)
    full = clip.replace(
        confidence=np.random.default_rng(0).random(clip.keypoints.shape[:3], np.float32),
        image_size=(1920, 1080),
        track_ids=(7, -2),
    )
    return [full, clip, clip.replace(keypoints=clip.keypoints[:0], track_ids=None)]


def assert_same(read: SkeletonSequence, written: SkeletonSequence) -> None:
    np.testing.assert_array_equal(read.keypoints, written.keypoints)
    assert (read.confidence is None) == (written.confidence is None)
    if written.confidence is not None:
        np.testing.assert_array_equal(read.confidence, written.confidence)
    for fact in ("fps", "unit", "layout", "image_size", "track_ids"):
        assert getattr(read, fact) == getattr(written, fact)


def changed(path, **columns) -> None:
    """The file of one row with other columns; None leaves one out."""
    row = to_row(clips()[0])
    table = pa.Table.from_pylist([row], schema=features(None).arrow_schema)
    for name, column in columns.items():
        place = table.schema.names.index(name)
        table = table.remove_column(place) if column is None else table.set_column(place, name, column)
    pq.write_table(table, path)


def error_of(path) -> str:
    with pytest.raises(ValueError) as caught:
        motionhub.read(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
    return str(caught.value)


def test_clips_read_back_whole_and_in_order(tmp_path):
    path = motionhub.write(clips(), tmp_path / "clips.parquet")
    assert find_format(path).name == "parquet"
    for read, written in zip(motionhub.read(path), clips(), strict=True):
        assert_same(read, written)
    (one,) = motionhub.read(motionhub.write(clips()[0], tmp_path / "one.parquet"))
    assert_same(one, clips()[0])


def test_plain_datasets_reads_the_published_columns(tmp_path):
    path = motionhub.write(clips(), tmp_path / "clips.parquet")
    rows = load_dataset("parquet", data_files=str(path), cache_dir=str(tmp_path / "cache"), split="train")
    assert rows.column_names == list(COLUMNS) and rows.features == features(None)
    assert_same(from_row(rows[0]), clips()[0])


def test_a_data_set_of_every_older_version_is_read(tmp_path):
    """Version 1 had no frame labels; a table may have more columns than ours."""
    changed(tmp_path / "old.parquet", frame_labels=None, schema_version=pa.array([1], pa.int32()))
    assert_same(motionhub.read(tmp_path / "old.parquet")[0], clips()[0])
    changed(tmp_path / "bare.parquet", confidence=None, track_ids=None, label=None, source=None)
    (bare,) = motionhub.read(tmp_path / "bare.parquet")
    assert bare.confidence is None and bare.track_ids == (0, 1)
    changed(tmp_path / "new.parquet", schema_version=pa.array([SCHEMA_VERSION + 1], pa.int32()))
    assert "upgrade motionhub" in error_of(tmp_path / "new.parquet")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"keypoints": None}, "expected ['keypoints']"),
        ({"keypoints": pa.array([["a"]])}, "expected a list of numbers"),
        ({"keypoints": pa.array([1.0])}, "expected a list of numbers"),
        ({"keypoints": pa.array([[1.0, 2.0]])}, "row 0: Column 'keypoints' must hold"),
        ({"num_people": pa.array([-1])}, "row 0"),
        ({"num_frames": pa.array([10**12])}, "streaming=True"),
        ({"num_dims": pa.array(["two"])}, "expected a number"),
        ({"layout": pa.array(["no such layout"])}, "no such layout"),
        ({"fps": pa.array([None], pa.float64())}, "1 are null"),
        ({"fps": pa.array([float("nan")])}, "fps must be a positive number"),
        ({"unit": pa.array(["mile"])}, "unit must be one of"),
    ],
)
def test_columns_that_are_no_clip_are_named(tmp_path, columns, reason):
    changed(tmp_path / "clip.parquet", **columns)
    assert reason in error_of(tmp_path / "clip.parquet")


def test_a_long_run_of_one_number_is_refused_before_it_fills_the_memory(tmp_path):
    """A hundred and sixty million zeros are some kilobytes of parquet."""
    path = tmp_path / "bomb.parquet"
    values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(4_000_000, np.int32)), pa.array([0.0], pa.float32()))
    row = pa.ListArray.from_arrays(pa.array([0, 4_000_000], pa.int32()), values)
    column = pa.chunked_array([row.cast(pa.list_(pa.float32()))] * 40)
    fixed = to_row(clips()[0])
    table = pa.table({name: pa.array([fixed[name]] * 40) for name in COLUMNS if name != "keypoints"})
    pq.write_table(table.append_column("keypoints", column), path, compression="zstd")
    del column, row, values
    assert path.stat().st_size < 2**20
    assert "must hold" in error_of(path)
    changed(path, num_frames=pa.array([10**9]))
    assert "streaming=True" in error_of(path)


def test_a_layout_of_the_callers_own_goes_along_and_none_is_no_clip(tmp_path):
    layout = SkeletonLayout("own-2", ("base", "tip"), (("tip", "base"),), "base")
    own = SkeletonSequence(np.zeros((3, 2, 3)), layout, 50, "metre")
    assert_same(motionhub.read(motionhub.write(own, tmp_path / "own.parquet"))[0], own)
    with pytest.raises(ValueError, match="got none"):
        motionhub.write([], tmp_path / "clip.parquet")
