"""The input doctor: one defect in a clean walk gives its finding and no other, and the printed fix repairs it."""

import numpy as np
import pytest
from analytic_motions import straight_walk

import motionhub
from motionhub.data.synthetic.generate import ACTIONS, Scene, generate
from motionhub.skeletons import repair
from motionhub.skeletons.checks import describe, first_good_frame, inspect
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.measures import rank_layouts, standing_height
from motionhub.skeletons.sequence import SkeletonSequence


WALK = straight_walk()
LEFT_WRIST = WALK.layout.index("left_wrist")


def changed(change, sequence=WALK):
    """The walk with its keypoints `(1, 60, 20, 3)` changed in place (or replaced)."""
    keypoints = sequence.keypoints.copy()
    result = change(keypoints)
    return sequence.replace(keypoints=keypoints if result is None else result, track_ids=None, confidence=None)


def repaired(finding, sequence):
    """What the printed line of Python makes of it."""
    names = {"motionhub": motionhub, "repair": repair, "sequence": sequence}
    exec(finding.fix, names)
    return names["sequence"]


def the_only(findings, kind):
    assert [finding.kind for finding in findings] == [kind]
    return findings[0]


def pair():
    """Two walkers side by side, facing opposite ways."""
    other = WALK.keypoints * np.array([-1, 1, -1], np.float32) + np.array([1.0, 0, 6.0], np.float32)
    return WALK.replace(keypoints=np.concatenate([WALK.keypoints, other]), track_ids=None)


def swap_sides(points):
    points[:, 10:16] = points[:, 10:16][:, :, WALK.layout.mirror]


def freeze(points):
    points[:, 21:33] = points[:, 20:21]


def spike(points):
    points[0, 30, LEFT_WRIST] += [0.0, 1.5, 0.0]


def dead(points):
    points[:, :, LEFT_WRIST] = points[:, :1, LEFT_WRIST]


def never(points):
    points[:, :, LEFT_WRIST] = np.nan


def zeros(points):
    points[:, 5:9, LEFT_WRIST] = 0


def gap(points):
    points[:, 20:32, 2:] = np.nan


def cut(points):
    points[:, 40:] += np.array([3.0, 0, 0])


PIXELS = convert_layout(WALK, "coco-17").replace(
    keypoints=convert_layout(WALK, "coco-17").keypoints[..., :2] * [200, -200] + [320, 240], unit="pixel"
)
# (what the doctor gets, the finding, words in its text, whether the fix gives the clean motion back)
DEFECTS = {
    "dead joint": (changed(dead), "dead-joint", "left_wrist: at one place", None),
    "joint never seen": (changed(never), "dead-joint", "left_wrist: missing in all 60 frames", None),
    "swapped sides": (changed(swap_sides), "swapped-sides", "6 of 60 frames: frames 10-15", WALK),
    "turned upside-down": (
        changed(lambda points: points * [-1, -1, 1]),
        "upside-down",
        "below the hips in 100% of the frames",
        WALK,
    ),
    "y down": (changed(lambda points: points * [1, -1, 1]), "upside-down", "below the hips in 100%", WALK),
    "y up in pixels": (
        changed(lambda points: points * [1, -1] + [0, 479], PIXELS.replace(image_size=(640, 480))),
        "upside-down",
        "here y is down",
        PIXELS,
    ),
    "mirrored": (changed(lambda points: points * [-1, 1, 1]), "mirrored", "agreement -1.00", WALK),
    "z up": (changed(lambda points: points[..., [0, 2, 1]] * [1, -1, 1]), "z-up", "along z in 100%", WALK),
    "z down": (changed(lambda points: points[..., [0, 2, 1]] * [1, 1, -1]), "z-up", "along z in 100%", WALK),
    "millimetres": (changed(lambda points: points * 1000), "unit", "look like millimetres", WALK),
    "centimetres": (changed(lambda points: points * 100), "unit", "look like centimetres", WALK),
    "pixels that are not": (
        PIXELS.replace(keypoints=PIXELS.keypoints / 640),
        "unit",
        "look normalised",
        PIXELS.replace(keypoints=PIXELS.keypoints / 640, unit="normalised"),
    ),
    "metres called pixels": (WALK.replace(unit="pixel"), "unit", "look like metres", WALK),
    "pixels called normalised": (PIXELS.replace(unit="normalised"), "unit", "look like pixels", PIXELS),
    "jitter": (straight_walk(scene=Scene(noise=0.02), seed=3), "jitter", "standard deviation of 0.0", None),
    "frozen": (changed(freeze), "frozen", "12 of 60 frames: frames 21-32", None),
    "identity swap": (
        changed(lambda points: np.concatenate([points[:, :20], points[::-1, 20:]], axis=1), pair()),
        "identity-swap",
        "people 0 and 1 swap places at frame 20",
        pair(),
    ),
    "zeros": (changed(zeros), "zeros", "0.3% of the joints", None),
    "gap": (changed(gap), "gaps", "longest gap has 12 frames (0.4 s)", None),
    "spike": (changed(spike), "spikes", "1 times a joint is away for one frame", None),
    "cut": (changed(cut), "jump", "at frame 40", None),
    "frame rate": (WALK.replace(fps=1000), "frame-rate", "1000 frames per second", None),
    "every fourth frame twice": (
        changed(lambda points: points[:, np.sort([*range(48), *range(3, 48, 4)])]),
        "repeated-frames",
        "12 of 60 frames repeat the one before; the motion was taken at about 24 frames per second, not 30",
        None,
    ),
    "image of another video": (PIXELS.replace(image_size=(200, 100)), "image-size", "200x100", None),
    "score as depth": (
        PIXELS.replace(keypoints=np.concatenate([PIXELS.keypoints, np.full((1, 60, 17, 1), 0.5)], axis=-1)),
        "score-as-depth",
        "always in 0..1",
        PIXELS,
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_one_defect_gives_its_finding_and_no_other(defect):
    sequence, kind, words, _ = DEFECTS[defect]
    assert words in the_only(inspect(sequence), kind).seen


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_fix_as_printed_removes_the_finding(defect):
    sequence, kind, _, clean = DEFECTS[defect]
    finding = the_only(inspect(sequence), kind)
    result = repaired(finding, sequence)
    assert kind not in {left.kind for left in inspect(result) if left.severity == "problem"}
    if kind not in ("dead-joint", "zeros"):  # a joint that is hidden is then missing, and that is said
        assert kind not in {left.kind for left in inspect(result)}
    if clean is not None:
        assert result.unit == clean.unit and result.num_dims == clean.num_dims
        np.testing.assert_allclose(result.keypoints, clean.keypoints, atol=2e-4)


@pytest.mark.parametrize("action", ACTIONS)
def test_clean_motion_has_no_finding(action):
    assert inspect(generate(action, seed=1)) == []


@pytest.mark.parametrize("sequence", [WALK, PIXELS, pair(), straight_walk(fps=10), straight_walk(fps=60)])
def test_a_clean_walk_has_no_finding(sequence):
    assert inspect(sequence) == []


def test_walking_away_from_the_camera_or_across_is_no_swap_and_no_mirror():
    for heading in (90, 180, 270):
        walk = straight_walk(scene=Scene(heading=heading))
        assert inspect(walk) == []
        assert inspect(walk.replace(keypoints=walk.keypoints[..., :2] * [1, -1])) == []


@pytest.mark.parametrize("deviation", [0.01, 0.02, 0.04])
def test_the_noise_level_is_the_standard_deviation_that_was_added(deviation):
    noise = describe(straight_walk(num_frames=200, scene=Scene(noise=deviation)))["noise"]
    assert np.median(list(noise.values())) == pytest.approx(deviation, rel=0.1)


WRONG = [("coco-17", "poem-17"), ("coco-17", "posetics-17"), ("poem-17", "coco-17"), ("kinect-20", "utd-mhad-20")]
WRONG += [("smarthome-15", "kinect-15"), ("lcrnet-13", "cv-mim-13"), ("posetics-17", "poem-17")]


@pytest.mark.parametrize(("true", "declared"), WRONG)
@pytest.mark.parametrize("flat", [False, True])
def test_a_wrong_layout_is_named_with_the_right_one_and_hides_no_other_finding(true, declared, flat):
    clip = convert_layout(WALK, true)
    if flat:
        clip = clip.replace(keypoints=clip.keypoints[..., :2] * [1, -1], unit="normalised")
    finding = the_only(inspect(clip.replace(layout=declared)), "layout")
    assert f"not the joints of {declared}" in finding.seen
    assert repaired(finding, clip.replace(layout=declared)).layout.name == true


def test_layouts_that_differ_in_sides_alone_fit_equally_and_are_never_preferred():
    clip = convert_layout(WALK, "penn-13")
    fits = {fit.layout: fit.misfit for fit in rank_layouts(clip)}
    assert fits["penn-13"] == pytest.approx(fits["cv-mim-13"])
    flat = clip.replace(keypoints=clip.keypoints[..., :2] * [1, -1])
    assert inspect(flat) == inspect(flat.replace(layout="cv-mim-13")) == []


def test_a_layout_of_ones_own_is_inspected_too():
    layout = SkeletonLayout("own", ("a", "b"), (("b", "a"),), "a")
    points = WALK.keypoints[:, :, :2]
    assert inspect(SkeletonSequence(points, layout, 30, "metre")) == []


@pytest.mark.parametrize(
    "points",
    [np.zeros((0, 5, 20, 3)), np.zeros((1, 0, 20, 3)), np.full((2, 5, 20, 3), np.nan)],
    ids=["no person", "no frame", "all missing"],
)
def test_an_empty_sequence_is_one_finding(points):
    sequence = SkeletonSequence(points, "kinect-20", 30, "metre")
    assert the_only(inspect(sequence), "empty").advice
    assert describe(sequence)["frames"] == points.shape[1]
    assert first_good_frame(sequence) == 0


@pytest.mark.parametrize("points", [WALK.keypoints[:, :1], WALK.keypoints[:, :2], WALK.keypoints[:, :5]])
def test_a_clip_of_few_frames_says_nothing_it_cannot_know(points):
    assert inspect(WALK.replace(keypoints=points)) == []


@pytest.mark.filterwarnings("error")
def test_huge_numbers_and_scattered_gaps_raise_nothing():
    generator = np.random.default_rng(0)
    points = WALK.keypoints.copy()
    points[generator.random(points.shape[:3]) < 0.5] = np.nan
    inspect(WALK.replace(keypoints=points))
    inspect(WALK.replace(keypoints=points * 1e18))


def test_the_first_good_frame_is_the_first_with_most_joints():
    def lose(points):
        points[:, :7, :3] = np.nan
        points[:, :, 5] = np.nan

    assert first_good_frame(changed(lose)) == 7


def test_confidence_follows_every_repair():
    people = pair()
    confidence = np.random.default_rng(0).random(people.joint_mask.shape).astype(np.float32)
    people = people.replace(confidence=confidence)
    swapped = repair.swap_people(people, 0, 1, [(20, 60)])
    np.testing.assert_array_equal(swapped.confidence[0, 20:], confidence[1, 20:])
    mirrored = repair.swap_sides(people, 0, [(10, 16)])
    np.testing.assert_array_equal(mirrored.confidence[0, 10:16], confidence[0, 10:16][:, people.layout.mirror])
    np.testing.assert_array_equal(repair.part(people, 3, 8).confidence, confidence[:, 3:8])
    with pytest.raises(ValueError, match="spans"):
        repair.swap_sides(people, 0, [(10, 61)])


def test_bridging_is_linear_and_leaves_longer_gaps_and_ends():
    points = np.arange(10, dtype=np.float32).reshape(1, 10, 1, 1) * np.ones((1, 1, 1, 2), np.float32)
    points[:, [0, 3, 4, 6, 7, 8]] = np.nan
    layout = SkeletonLayout("dot", ("a",), (), "a")
    bridged = repair.bridge_gaps(SkeletonSequence(points, layout, 30, "pixel"), max_frames=2).keypoints[0, :, 0, 0]
    np.testing.assert_array_equal(bridged, [np.nan, 1, 2, 3, 4, 5, np.nan, np.nan, np.nan, 9])


def test_who_hangs_head_down_with_the_feet_lower_still_is_not_upside_down():
    """On a slanted bench the shoulders are below the hips, and so are the feet."""

    def bend(points):
        for side in ("left", "right"):
            for part in ("knee", "ankle", "foot"):
                points[..., WALK.layout.index(f"{side}_{part}"), 1] *= -1

    flipped = WALK.keypoints * np.array([1, -1, 1], np.float32)
    bend(flipped)
    assert "upside-down" not in {finding.kind for finding in inspect(WALK.replace(keypoints=flipped))}


def test_a_planted_foot_is_not_a_dead_joint():
    squat = generate("squat", seed=1)
    ankle = squat.keypoints[0, :, squat.layout.index("left_ankle")]
    assert np.ptp(ankle, axis=0).max() < 1e-4  # at one place, and alive
    assert inspect(squat) == []


# Bodies: proportions, heights, and which way is up.

SAMPLES = [(action, seed) for seed, action in enumerate(["walk around", "squat", "wave", "sit down", "kick", "bow"])]
LAYOUTS_OF_LIMBS = ["coco-17", "h36m-17", "smpl-22", "body-25", "body-25b", "halpe-26", "ntu-25", "mediapipe-33"]


@pytest.mark.parametrize("name", LAYOUTS_OF_LIMBS)
@pytest.mark.parametrize("dims", [2, 3])
def test_no_generated_body_is_taken_for_none(name, dims):
    for action, seed in SAMPLES[:3]:
        clip = motionhub.generate(action, seed=seed, layout=name)
        clip = clip.replace(keypoints=clip.keypoints[..., :dims] * [1, -1, 1][:dims])
        assert "layout" not in {finding.kind for finding in inspect(clip)}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", ["coco-17", "h36m-17", "kinect-20"])
def test_joints_in_a_random_order_are_a_problem(name, seed):
    clip = motionhub.generate("wave", seed=seed, layout=name)
    order = np.random.default_rng(seed).permutation(clip.num_joints)
    found = inspect(clip.replace(keypoints=clip.keypoints[:, :, order]))
    (finding,) = (each for each in found if each.kind == "layout")
    assert finding.severity == "problem"
    assert "fit no body in layout" in finding.seen or finding.arguments["layout"] != name


@pytest.mark.parametrize(
    ("true", "declared"),
    [("h36m-17", "poem-17"), ("body-25b", "body-25"), ("smpl-22", "bandai-22"), ("smpl-22", "ui-prmd-22")],
)
def test_layouts_with_as_many_joints_are_told_apart_by_the_body(true, declared):
    clip = motionhub.generate("squat", seed=0, layout=true)
    finding = next(each for each in inspect(clip.replace(layout=declared)) if each.kind == "layout")
    assert finding.severity == "problem" and finding.arguments == {"layout": true}


def test_a_layout_that_fits_no_better_than_a_noisy_body_is_not_proposed():
    clip = motionhub.generate("wave", seed=0, layout="ntu-25")
    order = np.random.default_rng(3).permutation(25)
    found = inspect(clip.replace(keypoints=clip.keypoints[:, :, order]))
    finding = next(each for each in found if each.kind == "layout")
    assert finding.function is None and "motionhub info --layouts" in finding.fix


@pytest.mark.parametrize("archive, pattern, most", [
    ("data/nucla_views12.zip", "**/*_e00_v01.json", 25),
    ("data/utd_mhad_s1-6.zip", "**/*_s1_t1_skeleton.mat", 27),
    ("data/bandai_namco_2_subset.zip", "**/*_001.bvh", 20),
    ("data/penn_action_train.zip", "**/0?00.mat", 20),
])  # fmt: skip
def test_real_bodies_fit_their_layout_and_are_as_tall_as_people(unzipped, archive, pattern, most):
    paths = sorted(unzipped(archive).glob(pattern))[:most]
    assert paths
    for path in paths:
        for clip in motionhub.read(path):
            problems = {finding.kind for finding in inspect(clip) if finding.severity == "problem"}
            assert not problems & {"layout", "height", "unit"}, path


@pytest.mark.parametrize("action, seed", SAMPLES)
def test_the_height_is_that_of_the_person_whatever_they_do(action, seed):
    tall = standing_height(motionhub.generate(action, seed=seed))
    assert 1.5 < tall < 2.0
    assert standing_height(motionhub.generate(action, seed=seed, layout="coco-17")) == pytest.approx(tall, rel=0.1)


@pytest.mark.parametrize("factor", [0.35, 1.7])
def test_a_dwarf_or_giant_is_a_problem_without_a_factor_that_gives_no_person(factor):
    finding = the_only(inspect(changed(lambda points: points * factor)), "height")
    assert finding.severity == "problem" and finding.function is None and "unit" in finding.fix


@pytest.mark.parametrize("factor", [0.1, 0.02, 1e-2])
def test_a_factor_is_proposed_when_it_leads_to_a_person(factor):
    clip = changed(lambda points: points * factor)
    found = [finding for finding in inspect(clip) if finding.kind in ("height", "unit")]
    for finding in found:
        if finding.function is repair.scale:
            assert 1.2 <= standing_height(finding.apply(clip)) <= 2.2
    assert found


def test_pixels_in_a_file_of_metres_are_told_by_their_flatness():
    flat = PIXELS.keypoints
    clip = PIXELS.replace(keypoints=np.concatenate([flat, 0 * flat[..., :1]], axis=-1), unit="metre", image_size=None)
    finding = next(iter(inspect(clip)))
    assert finding.kind == "unit" and "pixels" in finding.seen
    repaired_clip = repaired(finding, clip)
    assert (repaired_clip.unit, repaired_clip.num_dims) == ("pixel", 2)
    np.testing.assert_array_equal(repaired_clip.keypoints, flat)


def test_pixels_that_were_scaled_as_millimetres_are_told_by_their_flatness_too():
    flat = PIXELS.keypoints / 1000
    clip = PIXELS.replace(keypoints=np.concatenate([flat, 0 * flat[..., :1]], axis=-1), unit="metre", image_size=None)
    finding = next(finding for finding in inspect(clip) if finding.kind == "height")
    assert "unit='pixel'" in finding.fix and finding.function is None


TURNS = {
    "y": lambda points: points,
    "-y": lambda points: points * [-1, -1, 1],
    "z": lambda points: points[..., [0, 2, 1]] * [1, -1, 1],
    "-z": lambda points: points[..., [0, 2, 1]] * [1, 1, -1],
}


@pytest.mark.parametrize("up", TURNS)
def test_a_stated_axis_decides_what_is_up(up):
    assert inspect(changed(TURNS[up]).replace(up=up)) == []


@pytest.mark.parametrize(("stated", "true"), [("y", "-y"), ("-y", "y"), ("z", "-z"), ("-z", "z")])
def test_upside_down_against_the_stated_axis_is_repaired_by_half_a_turn(stated, true):
    clip = changed(TURNS[true]).replace(up=stated)
    finding = the_only(inspect(clip), "upside-down")
    assert f"up is stated as {stated}" in finding.seen
    assert repaired(finding, clip).up == stated and inspect(repaired(finding, clip)) == []


def test_people_along_another_axis_than_the_stated_one_are_a_note():
    finding = the_only(inspect(changed(TURNS["z"]).replace(up="y")), "z-up")
    assert finding.severity == "note" and "people lie" in finding.seen
    finding = the_only(inspect(WALK.replace(up="z")), "axes")
    assert finding.severity == "note" and finding.arguments == {"up": "y"}


def test_two_dimensional_clips_may_be_y_up():
    flat = WALK.replace(keypoints=WALK.keypoints[..., :2], up="y")
    assert inspect(flat) == []
    assert the_only(inspect(flat.replace(up="-y")), "upside-down").arguments == {"axes": ["y"]}


def test_a_turn_to_y_up_states_it_and_a_projection_loses_the_axis():
    assert WALK.replace(up="-y", keypoints=WALK.keypoints[..., :2]).up == "-y"
    assert WALK.replace(up="z").replace(keypoints=WALK.keypoints[..., :2]).up is None
    assert WALK.replace(up="z").replace(keypoints=WALK.keypoints[:, :5]).up == "z"
    assert repair.turn_z_up(changed(TURNS["z"]).replace(up="z")).up == "y"


def test_a_figure_that_hardly_moves_has_no_dead_joints():
    points = np.repeat(WALK.keypoints[:, :1], 60, axis=1)
    points[:, :, LEFT_WRIST, 0] += 0.002 * np.arange(60, dtype=np.float32) / 60
    assert "dead-joint" not in {finding.kind for finding in inspect(WALK.replace(keypoints=points))}


def test_a_body_in_one_point_is_zeros_and_no_more():
    clip = SkeletonSequence(np.zeros((1, 4, 17, 3)), "coco-17", 30, "metre")
    assert "zeros" in {finding.kind for finding in inspect(clip)}
