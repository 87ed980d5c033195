"""BVH: forward kinematics against hand-made chains and plain matrices, the real Bandai-Namco files, broken files."""

import random
import warnings

import numpy as np
import pytest
from helpers import read_error, write_text

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.bvh import load
from motionhub.data.formats.files import FileNote
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layouts import get_layout


ARM = """HIERARCHY
ROOT Base
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition %s
  JOINT Elbow
  {
    OFFSET 10 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Hand
    {
      OFFSET 5 0 0
      CHANNELS 4 Yposition Xrotation Yrotation Zrotation
      End Site
      {
        OFFSET 1 0 0
      }
    }
  }
}
MOTION
Frames: %d
Frame Time: 0.0333333
"""


@pytest.fixture
def write(tmp_path):
    return lambda text: write_text(tmp_path / "clip.bvh", text)


def arm(*rows: list[float], order: str = "Zrotation Yrotation Xrotation") -> str:
    return ARM % (order, len(rows)) + "\n".join(" ".join(map(str, row)) for row in rows) + "\n"


def test_angles_of_ninety_degrees_end_where_the_hand_says(write):
    still = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    raised = [100, 200, 300, 90, 0, 0, 0, 0, 0, 0, 0, 0, 0]  # z turns x into y
    bent = [0, 0, 0, 90, 0, 0, 90, 0, 0, 0, 0, 0, 0]
    moved = [0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0]  # Yposition of the hand replaces its OFFSET on that axis only
    path = write(arm(still, raised, bent, moved))
    assert find_format(path).name == "bvh"
    (clip,) = read(path)
    expected = [
        [(0, 0, 0), (10, 0, 0), (15, 0, 0)],  # the position channels replace the root's OFFSET
        [(100, 200, 300), (100, 210, 300), (100, 215, 300)],
        [(0, 0, 0), (0, 10, 0), (-5, 10, 0)],
        [(0, 0, 0), (10, 0, 0), (15, 7, 0)],
    ]
    np.testing.assert_allclose(clip.keypoints[0], np.array(expected) / 100, atol=1e-6)
    assert (clip.fps, clip.unit) == (30.0, "metre")
    assert clip.layout.joints == ("Base", "Elbow", "Hand")
    assert clip.layout.bones == (("Elbow", "Base"), ("Hand", "Elbow")) and clip.layout.root == "Base"


def turn(axis: str, degrees: float) -> np.ndarray:
    """Rotation matrices as every textbook has them."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array({
        "X": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "Y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "Z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis])  # fmt: skip


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "ZXZ"])
def test_any_channel_order_is_the_product_of_matrices_in_that_order(write, order):
    a, b, c = 20.0, -50.0, 75.0
    row = [0, 0, 0, a, b, c, 10, 20, 30, 0, 0, 0, 0]
    (clip,) = read(write(arm(row, order=" ".join(f"{axis}rotation" for axis in order))))
    base = turn(order[0], a) @ turn(order[1], b) @ turn(order[2], c)
    elbow = base @ turn("Z", 10) @ turn("X", 20) @ turn("Y", 30)
    expected = np.array([base @ [10, 0, 0], base @ [10, 0, 0] + elbow @ [5, 0, 0]]) / 100
    np.testing.assert_allclose(clip.keypoints[0, 0, 1:], expected, atol=1e-6)


def test_the_unit_is_centimetres_unless_the_caller_knows_better(write):
    path = write(arm([0] * 13))
    lengths = {unit: read(path, unit=unit)[0].keypoints[0, 0, 1, 0] for unit in ("centimetre", "metre", "millimetre")}
    assert lengths == pytest.approx({"centimetre": 0.1, "metre": 10.0, "millimetre": 0.01})
    assert read(path)[0].keypoints[0, 0, 1, 0] == pytest.approx(0.1)
    assert "fps: the file states fps 30" in read_error(path, fps=60)
    assert "has 17 joints, but the file has 3" in read_error(path, layout="coco-17")


MIXAMO = [
    "Hips",
    "Spine",
    "Spine1",
    "Neck",
    "Head",
    "LeftShoulder",
    "LeftArm",
    "LeftForeArm",
    "LeftHand",
    "RightShoulder",
    "RightArm",
    "RightForeArm",
    "RightHand",
    "LeftUpLeg",
    "LeftLeg",
    "LeftFoot",
    "LeftToeBase",
    "RightUpLeg",
    "RightLeg",
    "RightFoot",
    "RightToeBase",
]


@pytest.mark.parametrize("prefix", ["", "mixamorig:"])
def test_mixamo_names_become_ours_so_that_the_clip_converts(write, prefix):
    inner = "".join(f"JOINT {prefix}{name} {{ OFFSET {row} 1 2 }}\n" for row, name in enumerate(MIXAMO) if row)
    head = f"HIERARCHY\nROOT {prefix}Hips {{ OFFSET 0 0 0 CHANNELS 3 Xposition Yposition Zposition\n{inner}}}\n"
    (clip,) = read(write(head + "MOTION\nFrames: 2\nFrame Time: 0.01\n0 0 0\n0 0 0\n"))
    assert clip.fps == 100.0
    where = dict(zip(MIXAMO, clip.layout.joints, strict=True))
    assert (where["LeftShoulder"], where["LeftArm"], where["RightUpLeg"]) == (
        "left_collar",
        "left_shoulder",
        "right_hip",
    )
    converted = convert_layout(clip, "posetics-17")
    assert converted.joint_mask.all()
    row = get_layout("posetics-17").index("left_wrist")
    np.testing.assert_allclose(converted.keypoints[0, 0, row, 0], MIXAMO.index("LeftHand") / 100, rtol=1e-6)


def test_a_name_whose_joint_another_has_stays_as_it_is(write):
    names = ["Hips", "LowerBack", "Spine", "Neck", "Neck1", "LeftArm", "LeftForeArm", "LeftHand"]
    inner = "".join(f"JOINT {name} {{ OFFSET 0 1 2 }}\n" for name in names[1:])
    head = f"HIERARCHY\nROOT Hips {{ OFFSET 0 0 0 CHANNELS 3 Xposition Yposition Zposition\n{inner}}}\n"
    (clip,) = read(write(head + "MOTION\nFrames: 1\nFrame Time: 0.01\n0 0 0\n"))
    limbs = ("left_shoulder", "left_elbow", "left_wrist")
    assert clip.layout.joints == ("mid_hip", "spine", "Spine", "neck", "Neck1", *limbs)


@pytest.mark.parametrize(
    "old, new, reason",
    [
        ("OFFSET 10 0 0", "OFFSET 10 0 zero", "line 8: expected an offset"),
        ("OFFSET 10 0 0", "OFFSET 10 0", "line 9: expected an offset"),
        ("CHANNELS 3", "CHANNELS 99", "line 9: expected 0 to 12 channels"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation", "line 9: expected channels such as"),
        ("JOINT Hand", "JOINT Base", "several joints have the same name"),
        ("JOINT Hand", "LIMB Hand", "line 10: expected JOINT"),
        ("ROOT Base", "ROOT", "expected {"),
        ("Frames: 2", "Frames: 3", "expected 3 frames of 13 channels, got 2 lines"),
        ("Frames: 2", "Frames: -1", "expected 'Frames:' and a positive number"),
        ("Frame Time: 0.0333333", "Frame Time: 0", "expected 'Frame Time:'"),
        ("MOTION", "ACTION", "the file ends without MOTION"),
        ("0 0 0 0 0 0 0 0 0 0 0 0 0\n", "0 0 0\n", "expected 13 numbers, got 3"),
        ("0 0 0 0 0 0 0 0 0 0 0 0 0\n", "0 0 0 0 0 0 0 0 0 0 0 0 up\n", "expected 13 numbers"),
        ("}\nMOTION", "}\nROOT Other\nMOTION", "several roots"),
    ],
)
def test_bad_files_are_named_by_line(write, old, new, reason):
    text = arm([0] * 13, [0] * 13)
    assert old in text
    assert reason in read_error(write(text.replace(old, new, 1)))


def test_ten_thousand_nested_joints_are_no_stack_overflow(write):
    opened = "".join(f"JOINT j{row} {{ OFFSET 0 1 0 " for row in range(10_000))
    head = "HIERARCHY ROOT r { OFFSET 0 0 0 CHANNELS 1 Xposition " + opened + "} " * 10_001 + "\nMOTION\n"
    assert "at most 1000 joints" in read_error(write(head + "Frames: 5000\nFrame Time: 1\n" + "0\n" * 5000))


@pytest.fixture
def bandai(unzipped):
    return unzipped("data/bandai_namco_2_subset.zip")


def test_real_files_have_the_hips_where_their_channels_say_and_rigid_bones(bandai):
    path = next(bandai.glob("**/dataset-2_raise-up-both-hands_active_001.bvh"))
    (clip,) = read(path)
    assert (clip.layout.name, clip.fps, clip.unit) == ("bandai-22", 30.0, "metre")
    rows = path.read_text().split("Frame Time:")[1].splitlines()[1:]
    channels = np.array([row.split() for row in rows if row.strip()], np.float64)
    assert clip.keypoints.shape == (1, len(channels), 22, 3)
    # The root stands still at the origin, so the hips are where their own position channels say.
    np.testing.assert_allclose(clip.keypoints[0, :, 0], 0, atol=1e-7)
    np.testing.assert_allclose(clip.keypoints[0, :, 1], channels[:, 6:9] / 100, atol=1e-6)
    # Golden by plain matrices down the left arm: hips, spine, chest, collar, upper arm, lower arm, hand.
    turned, place = np.eye(3), np.zeros(3)
    for joint in (1, 2, 3, 6, 7, 8, 9):
        x, y, z, a, b, c = channels[30, 6 * joint : 6 * joint + 6]
        place = place + turned @ [x, y, z]
        turned = turned @ turn("Z", a) @ turn("X", b) @ turn("Y", c)
    np.testing.assert_allclose(clip.keypoints[0, 30, 9], place / 100, atol=1e-6)
    child, parent = clip.layout.bone_indices.T
    lengths = np.linalg.norm(clip.keypoints[0][:, child] - clip.keypoints[0][:, parent], axis=-1)
    assert lengths.std(axis=0).max() < 1e-4


def test_real_people_raise_both_hands_above_their_heads_and_stand_on_their_feet(bandai):
    (clip,) = read(next(bandai.glob("**/dataset-2_raise-up-both-hands_active_002.bvh")))
    height = {joint: clip.keypoints[0, :, row, 1] for row, joint in enumerate(clip.layout.joints)}
    for side in ("left", "right"):
        assert (height[f"{side}_wrist"] - height["head"]).max() > 0.2
        assert height[f"{side}_ankle"].max() < height[f"{side}_knee"].min() < 0.6
    assert 1.2 < np.median(height["head"]) < 1.8


def test_the_right_hand_waves(bandai):
    (clip,) = read(next(bandai.glob("**/dataset-2_wave-right-hand_*_001.bvh")))
    left, right = (clip.keypoints[0, :, clip.layout.index(f"{side}_wrist"), 1].max() for side in ("left", "right"))
    assert right > left + 0.3


def test_truncations_and_bit_flips_give_a_clip_or_a_one_line_error(write):
    path = write(arm([1.5] * 13, [2.5] * 13))
    content, generator, refused = path.read_bytes(), random.Random(0), 0
    for length in range(1, len(content) - 4, 7):
        path.write_bytes(content[:length])
        read_error(path)
    for _ in range(300):
        flipped = bytearray(content)
        flipped[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)
        try:
            read(path)
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error) and path.name in str(error)
    assert refused > 100


LEG = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Leg
  {
    OFFSET 10.5 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 -40.5 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
0 90.5 0 90.0 0 0 0 0 0
0 90.5 0 0.5 0 0 0 0 0
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("End Site", "End Site Left Toe"),
        ("End Site", "END SITE"),
        ("JOINT", "Joint"),
        ("OFFSET", "Offset"),
        ("MOTION", "Motion"),
        ("Frames: 2\nFrame Time:", "FRAMES:\t2\nFRAME TIME :"),
        ("rotation", "ROTATION"),
        ("Xposition Yposition Zposition", "xposition yposition zposition"),
        (".", ","),
        ("HIERARCHY", "\n hierarchy"),
        ("Frame Time: 0.0333333\n", "\nFrame Time: 0.0333333\n\n"),
        ("Leg", "Left Up Leg"),
    ],
)
def test_bvh_of_other_spelling_is_the_same_motion(write, old, new):
    (expected,) = read(write(LEG))
    path = write(LEG.replace(old, new))
    np.testing.assert_allclose(read(path)[0].keypoints, expected.keypoints, atol=1e-6)
    assert [joint.name for joint in load(path).joints] == ["Hips", "Left Up Leg" if old == "Leg" else "Leg"]


def scaled(scale: str) -> str:
    text = LEG.replace("CHANNELS 6 ", "CHANNELS 9 ").replace(
        "Yrotation\n  JOINT", "Yrotation Xscale Yscale Zscale\n  JOINT"
    )
    return text.replace("90.0 0 0 0", "90.0 0 0 1 1 1 0").replace("0.5 0 0 0 0 0\n", f"0.5 0 0 {scale} 1 1 0 0 0\n")


def test_constant_channels_of_scale_are_left_out_and_others_refused(write):
    (expected,) = read(write(LEG))
    (clip,) = read(write(scaled("1")))
    np.testing.assert_array_equal(clip.keypoints, expected.keypoints)
    assert "the scale of joint 'Hips' changes over time" in read_error(write(scaled("1.5")))
    with pytest.warns(FileNote, match="scale other than 1 are left out"):
        read(write(scaled("1").replace(" 1 1 1 0", " 2 1 1 0").replace("0 1 1 1", "0 2 1 1")))


def standing(direction: str, rest: str | None = None) -> str:
    """Somebody whose head is 170 cm from the hips, and whose ankles are 90 cm on the other side; all turned."""
    turn = {"y": "0 0 0", "z": "0 90 0", "-y": "180 0 0"}
    offsets = {"y": ("0 70 0", "0 -90 0"), "z": ("0 0 70", "0 0 -90")}[rest or "y"]
    joints = "".join(
        f"JOINT {name}\n{{\nOFFSET {offset}\nCHANNELS 3 Zrotation Xrotation Yrotation\n}}\n"
        for name, offset in zip(("head", "left_ankle"), offsets, strict=True)
    )
    root = "ROOT mid_hip\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    angles = "0 0 0" if rest else turn[direction]
    return f"HIERARCHY\n{root}{joints}}}\nMOTION\nFrames: 1\nFrame Time: 0.04\n{angles} 0 0 0 0 0 0\n"


def test_y_is_up_in_bvh_unless_the_body_stands_otherwise(write):
    assert read(write(standing("y")))[0].up == "y"
    with pytest.warns(FileNote, match="no axis is stated as up"):
        assert read(write(standing("z")))[0].up is None  # or lies on the floor
    with pytest.warns(FileNote, match="also at rest: it is read as up"):
        assert read(write(standing("z", rest="z")))[0].up == "z"


@pytest.mark.parametrize(("factor", "unit"), [(1, None), (0.01, "metres"), (10, "millimetres")])
def test_a_body_is_of_usual_size_whatever_unit_the_program_writes(write, factor, unit):
    joints = "".join(
        f"JOINT j{row}\n{{\nOFFSET 0 {17 * factor} 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n" for row in range(10)
    )
    root = "ROOT root\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    text = f"HIERARCHY\n{root}{joints}{'}' * 11}\nMOTION\nFrames: 1\nFrame Time: 0.04\n{'0 ' * 33}\n"
    path = write(text.replace("}}", "}\n}").replace("}}", "}\n}"))
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        (clip,) = read(path)
    assert np.ptp(clip.keypoints[0, 0, :, 1]) == pytest.approx(1.7)
    assert [f"is read in {unit}" in str(each.message) for each in notes] == [True] * (unit is not None)
    assert np.ptp(read(path, unit="centimetre")[0].keypoints[0, 0, :, 1]) == pytest.approx(1.7 * factor)
