"""Writers: what is written reads back as the same numbers; what a format cannot hold is refused in one line."""

import numpy as np
import pytest
from helpers import assert_same_sequence, error_of, read_json

import motionhub
from motionhub.cli.main import main
from motionhub.data.formats.formats import WRITERS, find_writer, write
from motionhub.data.synthetic.generate import Scene, generate
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


def in_image(layout: str, people: int = 2, frames: int = 12, seed: int = 0) -> SkeletonSequence:
    """People far apart in pixels, each in some of the frames, with joints missing; nobody in the first and last."""
    generator = np.random.default_rng(seed)
    joints = motionhub.get_layout(layout).num_joints
    keypoints = generator.uniform(1, 1000, (people, frames, joints, 2)).astype(np.float32)
    keypoints[generator.random((people, frames, joints)) < 0.2] = np.nan
    keypoints[:, [0, -1]] = np.nan
    keypoints[1, 3:6] = np.nan
    confidence = generator.uniform(0.1, 1, (people, frames, joints)).astype(np.float32)
    confidence[np.isnan(keypoints[..., 0])] = 0
    return SkeletonSequence(keypoints, layout, 30, "pixel", confidence, track_ids=(4, 9), up="-y")


def refusal(sequence, path, format=None) -> str:
    return error_of(lambda: write(sequence, path, format))


def test_npz_loses_nothing(tmp_path):
    clip = generate("wave", scene=Scene(noise=0.01, dropout=0.1), second_person="sit down", fps=29.97, num_frames=20)
    confidence = np.random.default_rng(1).random(clip.keypoints.shape[:3], np.float32)
    clip = clip.replace(confidence=confidence, image_size=(1920, 1080), track_ids=(7, -2), up="-y")
    assert_same_sequence(motionhub.read(write(clip, tmp_path / "clip.npz"))[0], clip)
    bare = clip.replace(confidence=None, image_size=None)
    assert_same_sequence(motionhub.read(write(bare, tmp_path / "bare.npz"))[0], bare)


@pytest.mark.parametrize("shape", [(0, 5, 2, 2), (1, 0, 2, 3), (2, 3, 2, 3)])
def test_npz_keeps_own_layouts_empty_clips_and_third_columns_of_pixels(tmp_path, shape):
    layout = SkeletonLayout("own-2", ("base", "End Point"), (("End Point", "base"),), "base")
    clip = SkeletonSequence(np.arange(np.prod(shape)).reshape(shape), layout, 50, "pixel")
    assert_same_sequence(motionhub.read(write(clip, tmp_path / "clip.npz"))[0], clip)


@pytest.mark.parametrize("bones", [np.array([["a", "c"]]), np.array(["a", "b"])])
def test_npz_with_bones_that_do_not_fit_its_joints_is_refused(tmp_path, bones):
    path = tmp_path / "clip.npz"
    facts = {"layout": "own", "joints": ["a", "b"], "bones": bones, "root": "a", "fps": 30, "unit": "metre"}
    np.savez(path, keypoints=np.zeros((1, 2, 2, 3)), **{key: np.array(value) for key, value in facts.items()})
    with pytest.raises(ValueError, match="clip.npz: joints"):
        motionhub.read(path)


@pytest.mark.parametrize("scored", [False, True])
def test_csv_reads_back_as_the_same_numbers(tmp_path, scored):
    clip = generate("wave", scene=Scene(noise=0.01, dropout=0.1), second_person="kick", fps=30, num_frames=20)
    if scored:
        random = np.random.default_rng(1).random(clip.keypoints.shape[:3], np.float32)
        clip = clip.replace(confidence=np.where(clip.joint_mask, random, 0))
    path = write(clip, tmp_path / "clip.csv")
    assert path.read_text().startswith("frame,time,person,unit,layout,fps,up,mid_hip_x,mid_hip_y,mid_hip_z,")
    assert_same_sequence(motionhub.read(path)[0], clip.replace(up="y"))  # they stand along y


@pytest.mark.parametrize(("name", "layout"), [("clip", "body-25"), ("clip", "openpose-18"), ("clip.json", "coco-17")])
def test_keypoints_in_the_image_read_back_as_the_same_numbers_people_and_frames(tmp_path, name, layout):
    clip = in_image(layout)
    assert_same_sequence(motionhub.read(write(clip, tmp_path / name), fps=30)[0], clip)


def test_missing_joints_are_zeros_in_openpose_and_coco(tmp_path):
    clip = in_image("coco-17")
    entries = read_json(write(clip, tmp_path / "clip.json"))
    assert [entry["image_id"] for entry in entries][:: len(entries) - 1] == [0, 11]
    assert entries[0]["keypoints"] == [0.0] * 51 and entries[0]["score"] == 0
    body = motionhub.convert_layout(clip, "body-25")
    files = sorted(write(body, tmp_path / "folder").iterdir())
    assert len(files) == 12 and files[3].name == "000000000003_keypoints.json"
    (person,) = read_json(files[3])["people"]
    toe = body.layout.index("left_big_toe")
    assert person["pose_keypoints_2d"][3 * toe : 3 * toe + 3] == [0, 0, 0] and person["person_id"] == [4]


def test_somebody_never_seen_stays_in_the_clip(tmp_path):
    for name, layout in (("clip", "body-25"), ("clip.json", "coco-17")):
        clip = in_image(layout)
        clip.keypoints[1], clip.confidence[1] = np.nan, 0
        read = motionhub.read(write(clip, tmp_path / name), fps=30)[0]
        assert sorted(read.track_ids) == [4, 9]
        rows = [read.track_ids.index(track) for track in (4, 9)]
        np.testing.assert_array_equal(read.keypoints[rows], clip.keypoints)


@pytest.mark.parametrize(
    ("archive", "pattern", "suffix"),
    [("data/openpose_body25_examples.zip", "*_keypoints.json", ""), ("data/nucla_views12.zip", "*.json", ".npz")],
)
def test_a_real_file_reads_back_as_the_same_numbers(unzipped, tmp_path, archive, pattern, suffix):
    file = sorted(unzipped(archive).rglob(pattern))[0]
    clip = motionhub.read(file, **({} if suffix else {"fps": 30}))[0]
    assert clip.joint_mask.any()
    read = motionhub.read(write(clip, tmp_path / f"clip{suffix}"), **({} if suffix else {"fps": 30}))[0]
    np.testing.assert_array_equal(read.keypoints, clip.keypoints)
    np.testing.assert_array_equal(read.joint_mask, clip.joint_mask)
    assert read.layout == clip.layout


def test_nothing_is_overwritten_and_nothing_half_done_is_left(tmp_path):
    clip = in_image("coco-17")
    path = write(clip, tmp_path / "new" / "clip.npz")
    before = path.read_bytes()
    assert "exists and is not overwritten" in refusal(clip, path)
    assert path.read_bytes() == before
    assert "exists" in refusal(motionhub.convert_layout(clip, "body-25"), tmp_path / "new", "openpose")
    refusal(clip, tmp_path / "other" / "clip", "openpose")
    assert not (tmp_path / "other").exists()


def test_an_unknown_suffix_or_format_lists_the_formats(tmp_path):
    for reason in (
        refusal(in_image("coco-17"), tmp_path / "clip.xyz"),
        refusal(in_image("coco-17"), tmp_path / "clip.npz", "x3d"),
    ):
        assert all(name in reason for name in WRITERS) and "format=" in reason
    assert find_writer("CLIP.NPZ").name == "npz" and find_writer("clip.txt", "csv").name == "csv"


def test_what_a_format_cannot_hold_is_refused_with_the_call_that_fixes_it(tmp_path):
    flat = in_image("coco-17")
    assert 'convert_layout(sequence, "body-25")' in refusal(flat, tmp_path / "a")
    assert 'convert_layout(sequence, "coco-17")' in refusal(in_image("body-25"), tmp_path / "a.json")
    assert "2-D" in refusal(generate("wave", num_frames=3), tmp_path / "a.json")
    assert "pixels" in refusal(flat.replace(unit="normalised"), tmp_path / "a.json")
    assert "read returns a list" in refusal([flat], tmp_path / "a.npz")
    nobody = flat.replace(keypoints=flat.keypoints[:0], confidence=None, track_ids=None)
    assert "empty" in refusal(nobody, tmp_path / "a.json") and "empty" in refusal(nobody, tmp_path / "a.csv")


def test_python_is_told_of_arguments_and_the_shell_of_flags_as_well(tmp_path, capsys):
    path = write(in_image("body-25"), tmp_path / "clip.npz")
    for out, reason, flag in (
        ("a.json", "motionhub convert FILE NEW --layout coco-17 first.", "--layout"),
        ("a.xyz", "", "--to"),
    ):
        assert main(["convert", str(path), str(tmp_path / out)]) == 2
        said = capsys.readouterr().err
        assert reason in said and said.endswith(f" In a shell: {flag}.\n")
        with pytest.raises(ValueError) as caught:
            write(in_image("body-25"), tmp_path / out)
        assert "shell" not in str(caught.value) and "--" not in str(caught.value)
