"""Datasets of recordings that sentences describe, in files built from the authors' descriptions."""

import json

import numpy as np
import pytest
from datasets import load_dataset
from described_samples import bvh, cmu_amc, cmu_asf
from helpers import write_json

from motionhub.cli.main import main
from motionhub.data.build.build import build_dataset, save_dataset
from motionhub.data.datasets.parts import Part, merged
from motionhub.data.formats.files import FileNote
from motionhub.data.synthetic.captions import described_clips
from motionhub.skeletons.rows import from_row, segments_of


@pytest.fixture
def humanml3d(tmp_path):
    """A whole recording with two sentences, and one with a sentence about its second and third second."""
    texts = {
        "000001": "a person walks forward.#a/DET person/NOUN#0.0#0.0\na man strolls.#a/DET#nan#nan\n\n",
        "000002": "someone sits down.#someone/PRON#1.0#3.0\n",
        "M000001": "a person walks forward.#a/DET#0.0#0.0\n",
    }
    for folder in ("new_joints", "new_joint_vecs", "texts"):
        (tmp_path / folder).mkdir()
    for name, text in texts.items():
        points = np.random.default_rng(0).normal(0, 0.2, (80, 22, 3)) + np.array([0, 1.0, 0])
        np.save(tmp_path / "new_joints" / f"{name}.npy", points.astype(np.float32))
        np.save(tmp_path / "new_joint_vecs" / f"{name}.npy", np.zeros((79, 263), np.float32))
        (tmp_path / "texts" / f"{name}.txt").write_text(text)
    np.save(tmp_path / "Mean.npy", np.zeros(263, np.float32))
    (tmp_path / "train.txt").write_text("000001\nM000001\n")
    (tmp_path / "test.txt").write_text("000002\n")
    return tmp_path


def test_each_described_part_of_humanml3d_is_a_clip_with_its_sentences(humanml3d):
    rows = build_dataset("humanml3d", humanml3d)["full"]
    assert rows["clip_id"][:] == ["000001", "000002_1-3", "M000001"]
    assert rows["caption"][:2] == ["a person walks forward.\na man strolls.", "someone sits down."]
    assert (rows["num_frames"][:], rows["setup"][:]) == ([80, 40, 80], [1, 0, 1])
    part, whole = from_row(rows.with_format("numpy")[1]), np.load(humanml3d / "new_joints" / "000002.npy")
    assert (part.fps, part.unit, part.up, part.layout.name) == (20.0, "metre", "y", "humanml3d-22")
    assert np.array_equal(part.keypoints[0], whole[20:60])
    splits = build_dataset("humanml3d", humanml3d, "official")
    assert (splits["train"]["clip_id"][:], splits["test"]["clip_id"][:]) == (["000001", "M000001"], ["000002_1-3"])


def test_features_are_read_where_the_joints_are_absent(humanml3d):
    (humanml3d / "new_joints" / "000002.npy").unlink()
    features = np.zeros((79, 263), np.float32)
    features[:, 3] = 0.9  # height of the hips
    np.save(humanml3d / "new_joint_vecs" / "000002.npy", features)
    assert build_dataset("humanml3d", humanml3d)["full"]["clip_id"][:] == ["000002_1-3", "000001", "M000001"]


@pytest.mark.filterwarnings("ignore::motionhub.data.formats.files.FileNote")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no numbers here\n", "has no line"),
        ("walks#walks/VERB#2.0#1.0\n", "start < end"),
        ("walks#walks/VERB#one#2\n", "expected seconds"),
        ("".join(f"walks#walks#0#{1 + number / 1000}\n" for number in range(1001)), "at most 1000 parts"),
    ],
)
def test_texts_of_another_form_are_one_line_with_file_and_line(humanml3d, text, reason):
    (humanml3d / "texts" / "000002.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"000002\.(txt|npy).*{reason}"):
        build_dataset("humanml3d", humanml3d, strict=True)


def test_a_part_after_the_recording_is_left_out_and_one_beyond_its_end_is_cut_with_a_note(humanml3d):
    (humanml3d / "texts" / "000002.txt").write_text("sits#sits#2.0#9.0\nlies#lies#30#31\n")
    with pytest.warns(FileNote, match=r"cut at 4 s|left out") as notes:
        rows = build_dataset("humanml3d", humanml3d)["full"]
    assert rows["num_frames"][1] == 40 and len(rows) == 3
    assert sum("left out" in str(each.message) for each in notes) >= 1


@pytest.mark.parametrize("shape", [(0,), (66,), (80, 66), (2, 80, 22, 3)])
def test_an_array_of_another_shape_is_one_line(humanml3d, shape):
    np.save(humanml3d / "new_joints" / "000002.npy", np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match=r"000002\.npy: array: expected .* got shape"):
        build_dataset("humanml3d", humanml3d, strict=True)


def test_lines_of_another_form_are_one_note(humanml3d):
    (humanml3d / "texts" / "000002.txt").write_text("x\n" * 1000 + "sits#sits#0#0\n")
    with pytest.warns(FileNote, match="as are 999 more lines") as notes:
        build_dataset("humanml3d", humanml3d)
    assert sum("000002.txt" in str(each.message) for each in notes) < 5


def test_kit_is_in_millimetres_and_a_recording_in_metres_is_an_error(tmp_path):
    (tmp_path / "new_joints").mkdir()
    (tmp_path / "texts").mkdir()
    points = np.random.default_rng(0).normal(0, 200, (50, 21, 3)) + np.array([0, 900, 0])
    for name, factor in (("00001", 1.0), ("00002", 1e-3)):
        np.save(tmp_path / "new_joints" / f"{name}.npy", points * factor)
        (tmp_path / "texts" / f"{name}.txt").write_text("a person waves#wave#0.0#0.0\n")
    with pytest.warns(UserWarning, match=r"1 of 2 files.*\n.*00002\.npy.*hips are .* m high"):
        rows = build_dataset("kit-ml", tmp_path)["full"].with_format("numpy")
    clip = from_row(rows[0])
    assert (len(rows), clip.fps, clip.layout.name) == (1, 12.5, "kit-21")
    assert np.allclose(clip.keypoints[0], points / 1000, atol=1e-5)


@pytest.fixture
def babel(tmp_path):
    """Two recordings of AMASS, spelled as in two of its releases, and one that no list names."""
    for name in ("ACCAD/Female1_c3d/A1 - Stand_poses", "ACCAD/Female1_c3d/A2_-_Sway_stageii", "X/y/z_poses"):
        path = tmp_path / "amass" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        turns = np.zeros((240, 156))
        turns[:, 0] = np.pi / 2  # z up
        np.savez(path, poses=turns, trans=np.tile([0, 0, 0.95], (240, 1)), mocap_framerate=120.0, gender="male")
    np.savez(tmp_path / "amass" / "ACCAD" / "Female1_c3d" / "shape.npz", betas=np.zeros(16))
    walk = {"raw_label": "walks", "proc_label": "walk", "act_cat": ["walk", "move"], "start_t": 0.5, "end_t": 1.5}
    nothing = {"raw_label": "?", "proc_label": "transition", "act_cat": None, "start_t": 0.0, "end_t": 0.5}
    sway = {"raw_label": "sways a bit", "proc_label": "sway", "act_cat": ["sway"]}
    first = {"babel_sid": 1, "feat_p": "ACCAD/ACCAD/Female1_c3d/A1 - Stand_poses.npz", "seq_ann": None}
    second = {"babel_sid": 2, "feat_p": "ACCAD/ACCAD/Female1_c3d/A2 - Sway_poses.npz", "frame_ann": None}
    write_json(tmp_path / "train.json", {"1": {**first, "frame_ann": {"labels": [nothing, walk]}}})
    write_json(tmp_path / "val.json", {"2": {**second, "seq_ann": {"labels": [sway]}}})
    return tmp_path


@pytest.mark.filterwarnings("ignore::motionhub.data.formats.files.FileNote")
def test_babel_labels_frames_or_the_whole_recording_in_any_spelling_of_amass(babel):
    rows = build_dataset("babel", babel)["full"]
    assert rows.features["label"].names == ["move", "sway", "walk"]
    assert [segments_of(row) for row in rows] == [[(2, 60, 180), (0, 60, 180)], [(1, 0, 240)]]
    assert (rows["setup"][:], rows["caption"][:], rows["fps"][:]) == ([1, 0], ["", "sway"], [120.0, 120.0])
    clip = from_row(rows.with_format("numpy")[0])
    assert (clip.up, clip.unit) == ("z", "metre")
    said = [(clip.phrases[0], clip.sequence.num_frames) for clip in described_clips(rows)]
    assert said == [("walk", 120), ("move", 120), ("sway", 240)]


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e308, 10**400])
def test_times_of_babel_that_no_recording_has_are_one_line(babel, seconds):
    lists = json.loads((babel / "train.json").read_text())
    lists["1"]["frame_ann"]["labels"][0]["end_t"] = seconds
    write_json(babel / "train.json", lists)
    with pytest.raises(ValueError, match=r"train\.json: .*expected start_t and end_t in seconds"):
        build_dataset("babel", babel, strict=True)


def test_babel_without_its_lists_says_what_to_put_there(tmp_path):
    np.savez(tmp_path / "a_poses.npz", poses=np.zeros((8, 156)))
    with pytest.raises(ValueError, match=r"expected BABEL's train\.json or val\.json"):
        build_dataset("babel", tmp_path)


@pytest.fixture
def seed(tmp_path):
    folder = tmp_path / "soma_uniform" / "bvh" / "240101"
    folder.mkdir(parents=True)
    for name, root in (("wave_001__A017", None), ("wave_001__A017_M", "Root")):
        (folder / f"{name}.bvh").write_text(bvh(240, 120, root))
    (tmp_path / "metadata").mkdir()
    columns = "filename,actor_uid,is_mirror,content_type_of_movement,content_short_description,content_natural_desc_1"
    lines = (
        'wave_001__A017,A017,0,gesture,wave,"A person waves, twice."',
        "wave_001__A017_M,A017,1,gesture,,A person waves.",
    )
    (tmp_path / "metadata" / "seed_metadata_v004.csv").write_text("\n".join((columns, *lines)) + "\n")
    event = {"start_time": 0.5, "end_time": 1.5, "description": "raises the left hand"}
    lines = [json.dumps({"filename": "wave_001__A017", "events": [event]})]
    (tmp_path / "metadata" / "seed_metadata_v002_temporal_labels.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "train_split_paths.txt").write_text("240101/wave_001__A017\n")
    return tmp_path


def test_a_recording_of_bones_seed_and_each_of_its_events_are_clips(seed):
    rows = build_dataset("bones-seed", seed)["full"]
    assert rows["clip_id"][:] == ["wave_001__A017", "wave_001__A017_0.5-1.5", "wave_001__A017_M"]
    assert rows["caption"][:] == ["wave\nA person waves, twice.", "raises the left hand", "A person waves."]
    assert (rows["num_frames"][:], rows["setup"][:], rows["subject"][:]) == ([240, 120, 240], [1, 1, -1], [17] * 3)
    clips = [from_row(row) for row in rows.with_format("numpy")]
    assert {(clip.layout.name, clip.fps, clip.unit, clip.up) for clip in clips} == {("soma-77", 120.0, "metre", "y")}
    knee = clips[0].layout.index("left_knee")
    assert np.allclose(clips[1].keypoints[0, 0, knee], [0.09, 0.55, 0.60], atol=1e-4)  # after 60 frames of 1 cm
    assert np.allclose(clips[0].keypoints, clips[2].keypoints, atol=1e-4)  # a joint above the hips changes nothing


def test_a_recording_that_the_metadata_lack_is_named(seed):
    (seed / "soma_uniform" / "bvh" / "240101" / "other.bvh").write_text(bvh(4, 120))
    with pytest.warns(UserWarning, match=r"other\.bvh.*does not list it"):
        assert len(build_dataset("bones-seed", seed)["full"]) == 3


def test_parts_of_snapmogen_are_in_frames_of_its_file_of_texts(tmp_path):
    (tmp_path / "renamed_bvhs").mkdir()
    (tmp_path / "data_split_info").mkdir()
    (tmp_path / "renamed_bvhs" / "ep1_00000.bvh").write_text(bvh(120, 30))
    texts = {"manual": ["The person walks."], "gpt": ["Someone strolls.", ""]}
    write_json(tmp_path / "all_caption_clean.json", {"ep1_00000#30#90": texts, "ep1_00000#90#120": {"manual": []}})
    (tmp_path / "data_split_info" / "train_fnames.txt").write_text("ep1_00000\n")
    (row,) = build_dataset("snapmogen", tmp_path)["full"].with_format("numpy")
    assert (row["clip_id"], row["caption"]) == ("ep1_00000_1-3", "The person walks.\nSomeone strolls.")
    assert (int(row["num_frames"]), int(row["setup"]), float(row["fps"])) == (60, 1, 30.0)


def test_built_sentences_are_learned_as_what_joints_show(humanml3d, tmp_path):
    folder = save_dataset("humanml3d", humanml3d, tmp_path / "built")
    clips = list(described_clips(load_dataset(str(folder), "full", cache_dir=str(tmp_path / "cache"), split="full")))
    said = {clip.clip_id: clip.phrases for clip in clips}
    assert said["000001"] == ("walks forward", "strolls") and said["000002_1-3"] == ("sits down",)
    assert clips[0].source == "humanml3d" and "non-commercial" in clips[0].licence


def test_texts_of_the_same_times_are_one_part():
    parts = [Part(("a",), 1, 2), Part(("b",)), Part(("a", "c"), 1, 2)]
    assert merged(parts) == [Part(("a", "c"), 1, 2), Part(("b",))]


def test_a_note_about_a_file_that_is_read_twice_is_printed_once(humanml3d, tmp_path, capsys):
    (humanml3d / "texts" / "000002.txt").write_text("sits#sits#2.0#9.0\n")
    assert main(["dataset", "build", "humanml3d", "--raw", str(humanml3d), "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err.count("is cut at 4 s") == 1


def test_a_trial_of_cmu_is_described_by_its_line_of_the_index(tmp_path):
    folder = tmp_path / "subjects" / "01"
    folder.mkdir(parents=True)
    (folder / "01.asf").write_text(cmu_asf())
    for trial in ("01_01", "01_02", "01_03"):
        (folder / f"{trial}.amc").write_text(cmu_amc(6))
    index = "Database\n\nSubject #1 (climb, swing)\n\n01_01\tplayground - climb, hang\n01_02\tUnknown\n"
    (tmp_path / "cmu-mocap-index-text.txt").write_text(index)
    with pytest.warns(UserWarning, match=r"01_03\.amc: texts: .* does not describe it"):
        rows = build_dataset("cmu-mocap", tmp_path)["full"].with_format("numpy")
    assert [str(row["caption"]) for row in rows] == ["playground - climb, hang", ""]
    clip, unit = from_row(rows[0]), 0.0254 / 0.45
    assert (clip.layout.name, clip.fps, clip.unit, clip.up) == ("cmu-23", 120.0, "metre", "y")
    ankle = clip.keypoints[0, 0, clip.layout.index("left_ankle")]
    assert np.allclose(ankle, np.array([5, 17 - 10, 1]) * unit, atol=1e-4)
    assert [clip.phrases for clip in described_clips(rows)] == [("playground - climb, hang",)]


def test_a_part_without_a_frame_costs_no_other_part(humanml3d):
    (humanml3d / "texts" / "000002.txt").write_text("sits#sits#2.0#3.0\nblinks#blinks#1.01#1.02\n")
    with pytest.warns(FileNote, match=r"'blinks' from 1\.01 to 1\.02 s has no frame"):
        rows = build_dataset("humanml3d", humanml3d)["full"]
    assert rows["clip_id"][:] == ["000001", "000002_2-3", "M000001"]
