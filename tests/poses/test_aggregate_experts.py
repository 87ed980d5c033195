"""SST-A: the official demo bit for bit, and each of the three rules on experts whose answer is plain."""

import numpy as np
import pytest

from motionhub.poses.refine import aggregate, aggregate_experts
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


COCO = get_layout("coco-17")
FILES = [f"data/WatchTV_p02_r03_v05_c05_{name}2d.npz" for name in ("Alphapose", "LCRNet", "OP")]


@pytest.fixture(scope="module")
def demo(shared):
    return [np.load(shared(name))["kpts"] for name in FILES]


def body(frames=1, shift=0.0):
    """A standing COCO body of 17 joints, `(frames, 17, 2)`: shoulders 40 apart, the nose 30 above their middle."""
    places = {"nose": (0, -30), "shoulder": (20, 0), "elbow": (25, 40), "wrist": (25, 80)}
    places |= {"hip": (12, 100), "knee": (12, 150), "ankle": (12, 200), "eye": (5, -35), "ear": (10, -32)}
    sign = {"left": 1, "right": -1}
    pose = []
    for joint in COCO.joints:
        side, _, part = joint.rpartition("_")
        x, y = places[part]
        pose.append((200 + sign.get(side, 1) * x, 200 + y))
    return np.repeat(np.array(pose, np.float32)[None], frames, axis=0) + np.float32(shift)


def points(*values):
    """One joint of interest: every joint of the pose is at (value + 100, 100); None is missing."""
    rows = [np.nan if value is None else value + 100 for value in values]
    track = np.full((len(values), 17, 2), 100, np.float32)
    track[..., 0] = np.array(rows, np.float32)[:, None]
    track[np.isnan(track[..., 0])] = np.nan
    return track


def path(pose):
    """The first joint's x, back from `points`."""
    return [None if np.isnan(x) else float(x) - 100 for x in pose[:, 0, 0]]


def test_the_official_rule_gives_the_official_demo_bit_for_bit(demo, shared):
    golden = np.load(shared("golden/ssta_golden.npz"))["kpts"]
    pose, confidence = aggregate_experts(demo, official=True)
    assert pose.dtype == golden.dtype == np.float32
    assert np.array_equal(pose, golden)
    assert len({len(expert) for expert in demo}) == 2  # lengths off by one
    assert not pose[-1].any() and confidence[-1] == 0
    assert confidence[:-1].mean() == pytest.approx(0.101055, abs=1e-6)
    assert (confidence[:-1] == 0).sum() == 227
    assert confidence[100] == pytest.approx(0.146620, abs=1e-6) and confidence[1000] == pytest.approx(
        0.060816, abs=1e-6
    )


def test_sequences_and_arrays_of_the_demo_give_the_same(demo):
    sequences = [
        SkeletonSequence(np.where((kpts == 0).all(-1, keepdims=True), np.nan, kpts), "coco-17", 20, "pixel")
        for kpts in demo
    ]
    for options in ({"official": True}, {"paper": True}, {}):
        pose, confidence = aggregate_experts(demo, **options)
        sequence, same = aggregate_experts(sequences, **options)
        assert np.array_equal(np.nan_to_num(sequence.keypoints[0]), np.nan_to_num(pose))
        assert np.array_equal(same[0], confidence)


def test_the_official_rule_breaks_ties_for_the_first_then_the_third_expert():
    # Frame 0: all pairs equally far apart is impossible on a line, so two pairs tie: (p1, p3) and (p2, p3).
    start = [points(0, 0), points(20, 0), points(10, 0)]
    assert aggregate_experts(start, official=True)[0][0, 0, 0] == 110  # (p1, p3) was written last: p3
    # Frame 1: p1 and p3 are as far from p2, which frame 0 took.
    later = [points(50, 5, 0), points(0, 9, 0), points(1, -5, 0)]
    assert path(aggregate_experts(later, official=True)[0])[:2] == [0, 5]
    later = [points(50, 9, 0), points(0, 5, 0), points(1, -5, 0)]
    assert path(aggregate_experts(later, official=True)[0])[:2] == [0, -5]


def test_missing_joints_attract_the_official_rule_and_not_ours():
    missing, near = points(0, None, 0), points(-95, -95, -95)  # near is 5 pixels from (0, 100)
    experts = [points(-90, -90, -90), near, points(-90, None, -90)]
    experts = [np.where(np.isnan(expert), 0, expert) for expert in experts]
    experts[2][:2] = 0
    experts[0][:2] = 0
    assert not aggregate_experts(experts, official=True)[0][0].any()  # two experts agree on (0, 0)
    assert path(aggregate_experts(experts)[0]) == [-95, -95, -95]
    assert missing.shape == near.shape


def test_each_joint_is_taken_from_the_expert_nearest_to_the_frame_before():
    experts = [points(0, 9, 3), points(1, 2, 9), points(30, 30, 2.5)]
    assert path(aggregate_experts(experts)[0]) == [0, 2, 2.5]


def test_the_first_frame_is_of_the_closest_pair_and_its_first_expert():
    assert path(aggregate_experts([points(0), points(50), points(53)])[0]) == [50]
    assert path(aggregate_experts([points(0), points(3), points(50)])[0]) == [0]


def test_a_joint_of_no_expert_is_missing_and_starts_anew_with_the_closest_pair():
    experts = [points(0, None, 0), points(1, None, 50), points(2, None, 51)]
    pose, confidence = aggregate_experts(experts)
    assert path(pose) == [0, None, 50]
    assert confidence[1] == 0


@pytest.mark.parametrize("rule", [{}, {"paper": True}])
def test_an_expert_that_is_all_missing_changes_no_pose(rule):
    chance = np.random.default_rng(0)
    experts = [body(20) + chance.normal(0, 2, (20, 17, 2)).astype(np.float32) for _ in range(2)]
    absent = np.full((20, 17, 2), np.nan, np.float32)
    assert np.array_equal(aggregate_experts([*experts, absent], **rule)[0], aggregate_experts(experts, **rule)[0])


def test_the_recursion_equals_a_plain_loop_over_frames_and_joints():
    chance = np.random.default_rng(1)
    experts = chance.normal(0, 10, (4, 2, 60, 17, 3)).astype(np.float32)
    experts[chance.random(experts.shape[:4]) < 0.4] = np.nan
    result = aggregate(experts, COCO).keypoints
    for person, joint in np.ndindex(2, 17):
        last = np.full(3, np.nan)
        for frame in range(60):
            here = experts[:, person, frame, joint].astype(np.float64)
            seen = [k for k in range(4) if not np.isnan(here[k]).any()]
            if not seen:
                last = np.full(3, np.nan)
            elif not np.isnan(last).any():
                last = here[min(seen, key=lambda k: np.linalg.norm(here[k] - last))]
            elif len(seen) == 1:
                last = here[seen[0]]
            else:
                pairs = [(np.linalg.norm(here[a] - here[b]), a) for a in seen for b in seen if a < b]
                last = here[min(pairs, key=lambda pair: pair[0])[1]]
            np.testing.assert_array_equal(result[person, frame, joint], last.astype(np.float32))


def test_experts_that_agree_have_confidence_one_and_a_third_that_is_missing_takes_its_share():
    assert aggregate_experts([body(3)] * 3)[1] == pytest.approx(1)
    assert aggregate_experts([body(3)] * 3, paper=True)[1] == pytest.approx(1)
    absent = np.full((3, 17, 2), np.nan, np.float32)
    assert aggregate_experts([body(3), body(3), absent])[1] == pytest.approx(2 / 3)


def test_confidence_of_one_expert_that_is_off_by_a_known_distance():
    """Two experts agree, the third is moved by d = 12 along x; head to neck is 30 and the shoulders are 40 apart."""
    off = body(4) + np.array([12, 0], np.float32)
    experts = [body(4), off, body(4)]
    paper = np.exp(-(12 / 3) / 30)
    assert aggregate_experts(experts, paper=True)[1] == pytest.approx(paper, rel=1e-5)
    assert aggregate_experts(experts)[1] == pytest.approx(paper, rel=1e-5)
    assert aggregate_experts(experts, official=True)[1][:-1] == pytest.approx(np.exp(-(12 / 3) / 40), rel=1e-5)


def test_the_paper_discards_what_the_official_code_keeps():
    """Experts d = 200 apart: C = exp(-(200 / 3) / 30) = 0.108, under 0.18, and over 0.06 in the code's measure."""
    far = body(3) + np.array([200, 0], np.float32)
    experts = [body(3), far, body(3)]
    pose, confidence = aggregate_experts(experts, paper=True)
    assert np.isnan(pose).all() and confidence == pytest.approx(np.exp(-200 / 90), rel=1e-5)
    assert not np.isnan(aggregate_experts(experts, official=True)[0]).any()
    assert not np.isnan(aggregate_experts(experts)[0]).any()


def test_a_head_that_vanishes_in_one_frame_costs_the_paper_its_confidence_and_not_us():
    experts = [body(5), body(5) + np.float32(3), body(5)]
    for expert in experts:
        expert[2, 0] = expert[2, 5:7].mean(axis=0)  # looks straight up: the nose covers the neck
    assert aggregate_experts(experts, paper=True)[1][2] < 0.01
    ours = aggregate_experts(experts)[1]
    assert ours[2] == pytest.approx(ours[0], rel=1e-5)


def test_layouts_without_a_head_have_a_confidence_too_but_not_the_papers():
    from motionhub.skeletons.layout import SkeletonLayout

    arm = SkeletonLayout("arm", ("shoulder", "elbow", "hand"), (("elbow", "shoulder"), ("hand", "elbow")), "shoulder")
    track = np.array([[[0.0, 0], [0, 1], [0, 2]]], np.float32)
    experts = [SkeletonSequence(track + shift, arm, 30, "metre") for shift in (1, 1, 1)]
    assert aggregate_experts(experts)[1] == pytest.approx(1)
    with pytest.raises(
        ValueError, match="needs 13 joints and the neck, but 'arm' has no .*head, neck; use the default"
    ):
        aggregate_experts(experts, paper=True)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_experts(count):
    pose, confidence = aggregate_experts([body(3)] * count)
    assert np.array_equal(pose, body(3)) and confidence == pytest.approx(1)


def test_one_frame_no_frame_and_huge_numbers():
    assert np.array_equal(aggregate_experts([body(1)] * 3)[0], body(1))
    assert not aggregate_experts([body(1)] * 3, official=True)[0].any()  # its last frame is all zeros
    for rule in ({}, {"official": True}, {"paper": True}):
        pose, confidence = aggregate_experts([body(0)] * 3, **rule)
        assert pose.shape == (0, 17, 2) and confidence.shape == (0,)
    huge = [body(2) * np.float32(1e30)] * 3
    assert np.array_equal(aggregate_experts(huge)[0], huge[0])


def test_what_goes_in_stays_as_it_was():
    experts = [body(4), body(4) + 1, body(4) + 2]
    experts[1][1, 3] = 0
    copies = [expert.copy() for expert in experts]
    for rule in ({}, {"official": True}, {"paper": True}):
        pose, _ = aggregate_experts(experts, **rule)
        pose[:] = 7
    assert all(np.array_equal(expert, copy) for expert, copy in zip(experts, copies, strict=True))


def test_the_confidence_of_a_joint_is_that_of_its_expert():
    scores = [np.full((3, 17), value, np.float32) for value in (0.9, 0.4)]
    experts = [
        SkeletonSequence(body(3) + shift, "coco-17", 30, "pixel", confidence=score)
        for shift, score in zip((0, 1), scores, strict=True)
    ]
    merged, _ = aggregate_experts(experts)
    assert merged.confidence == pytest.approx(np.float32(0.9))
    assert aggregate_experts([experts[0], experts[1].replace(confidence=None)])[0].confidence is None


def test_what_does_not_fit_is_refused_with_the_fix():
    with pytest.raises(ValueError, match="No expert was given"):
        aggregate_experts([])
    with pytest.raises(ValueError, match="needs three experts .* got 2; use official=False"):
        aggregate_experts([body(2)] * 2, official=True)
    with pytest.raises(ValueError, match="two rules"):
        aggregate_experts([body(2)] * 3, official=True, paper=True)
    with pytest.raises(ValueError, match="got both"):
        aggregate_experts([body(2), SkeletonSequence(body(2), "coco-17", 30, "pixel")])
    with pytest.raises(ValueError, match=r"same joints in all; got \[\(2, 17, 2\), \(2, 13, 2\)\]"):
        aggregate_experts([body(2), body(2)[:, :13]])
    with pytest.raises(ValueError, match="has 25 joints, the experts 17"):
        aggregate_experts([body(2)] * 2, layout="body-25")
    with pytest.raises(ValueError, match="array of numbers"):
        aggregate_experts([[["a"]]])
    with pytest.raises(ValueError, match="'coco-17' joints, got 'h36m-17'"):
        aggregate_experts([body(2)] * 3, official=True, layout="h36m-17")


def test_a_sequence_may_have_a_joint_at_the_origin_and_files_of_the_official_tools_may_not():
    at_origin = body(3) - body(3)[:, :1]  # the nose at (0, 0)
    experts = [SkeletonSequence(at_origin, "coco-17", 30, "metre")] * 3
    assert np.array_equal(aggregate_experts(experts)[0].keypoints[0], at_origin)
    assert np.isnan(aggregate_experts([at_origin] * 3)[0][:, 0]).all()


def test_a_joint_that_the_official_rule_puts_at_the_origin_is_missing_in_a_sequence():
    lost = body(4)
    lost[:, 9] = np.nan
    experts = [SkeletonSequence(track, "coco-17", 30, "pixel") for track in (lost, lost, body(4))]
    merged, _ = aggregate_experts(experts, official=True)
    assert not merged.joint_mask[0, :, 9].any()
    assert merged.joint_mask[0, :3, 10].all() and not merged.joint_mask[0, 3].any()


def test_experts_that_disagree_everywhere_give_a_pose_of_theirs_with_hardly_any_confidence():
    chance = np.random.default_rng(5)
    experts = [chance.uniform(1, 2000, (50, 17, 2)).astype(np.float32) for _ in range(3)]
    pose, confidence = aggregate_experts(experts)
    assert np.stack([(pose == expert).all(axis=-1) for expert in experts]).any(axis=0).all()
    assert confidence.max() < 0.7 and confidence.mean() < 0.5 * aggregate_experts([body(50)] * 3)[1].mean()
    agreeing = [body(50) + chance.normal(0, 2, (50, 17, 2)).astype(np.float32) for _ in range(3)]
    assert confidence.max() < aggregate_experts(agreeing)[1].min()
