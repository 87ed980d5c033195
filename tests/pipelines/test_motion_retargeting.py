"""The motion-retargeting pipeline: what comes out of any input, and every refusal."""

import numpy as np
import pytest
import torch
from transformers import pipeline

import motionhub
from motionhub.processing.retargeting import RetargetProcessor
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layouts import get_layout


NAN = float("nan")


def motion(frames=20, people=1, layout="body-25", seed=0, **changes):
    random = np.random.default_rng(seed)
    joints = get_layout(layout).num_joints
    pose = random.uniform(200, 400, size=(people, 1, joints, 2))
    steps = random.normal(size=(people, frames, joints, 2)).cumsum(axis=1)
    fields = {"layout": layout, "fps": 24.0, "unit": "pixel", "image_size": (640, 480)}
    return motionhub.SkeletonSequence(pose + steps, **{**fields, **changes})


def save(folder, variant, processor=None):
    torch.manual_seed(0)
    motionhub.RetargetNetModel(motionhub.RetargetNetConfig(variant=variant)).save_pretrained(folder)
    statistics = {"mean": np.zeros((15, 2)), "std": np.full((15, 2), 50.0)}
    (processor or RetargetProcessor(**statistics)).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def pipes(tmp_path_factory):
    """variant -> pipeline of a network with random weights."""
    folders = {variant: save(tmp_path_factory.mktemp(variant), variant) for variant in ("view", "skeleton", "full")}
    return {name: pipeline("motion-retargeting", model=folder, device="cpu") for name, folder in folders.items()}


class Echo(torch.nn.Module):
    """Answers with the source: what is around the network must give the source back."""

    def __init__(self, model):
        super().__init__()
        self.config, self.device, self.dtype = model.config, model.device, model.dtype

    def retarget(self, source, target, view=None):
        from motionhub.models.motion_retargeting import MotionRetargetingOutput

        return MotionRetargetingOutput(keypoints=source["keypoints"])


@pytest.fixture
def echo(pipes, monkeypatch):
    pipe = pipes["full"]
    monkeypatch.setattr(pipe, "model", Echo(pipe.model))
    monkeypatch.setattr(pipe.feature_extractor, "smoothing", 0.0)
    monkeypatch.setattr(pipe.feature_extractor, "output_smoothing", 0.0)
    return pipe


@pytest.mark.parametrize("layout", ["body-25", "coco-17", "ntu-25", "posetics-17", "lac-15", "mediapipe-33"])
@pytest.mark.parametrize("frames", [1, 13, 40])
def test_a_network_that_changes_nothing_gives_the_source_back(echo, layout, frames):
    source = motion(frames, people=2, layout=layout, track_ids=(4, 7))
    result = echo(source, motion(9, seed=1))
    assert (result.layout, result.fps, result.unit) == (source.layout, source.fps, source.unit)
    assert (result.image_size, result.track_ids) == (source.image_size, source.track_ids)
    np.testing.assert_allclose(result.keypoints, source.keypoints, atol=2e-2)


def test_another_model_and_the_general_processor_keep_to_the_same_interface(echo, monkeypatch):
    """As ViA in 3-D would: keypoints of a SkeletonProcessor, which adds empty places for people."""
    processor = motionhub.SkeletonProcessor(layout="lac-15", num_dims=3, num_people=2, normalization="centre")
    monkeypatch.setattr(echo, "feature_extractor", processor)
    random = np.random.default_rng(0)
    clips = [
        motionhub.SkeletonSequence(random.normal(size=(2, frames, 25, 3)), layout="ntu-25", fps=30, unit="metre")
        for frames in (11, 7)
    ]
    result, report = echo(clips[0], clips[1], target_person=1, return_report=True)
    np.testing.assert_allclose(result.keypoints, clips[0].keypoints, atol=1e-4)
    assert [person["track_id"] for person in report] == [0, 1]


@pytest.mark.parametrize("variant", ["view", "skeleton", "full"])
@pytest.mark.parametrize("frames", [1, 31, 100])
def test_the_result_has_the_form_of_the_source_and_starts_where_it_does(pipes, variant, frames):
    pipes[variant].feature_extractor.output_smoothing = 0.0
    source = motion(frames, layout="coco-17")
    result = pipes[variant](source, motion(50, layout="ntu-25", seed=1))
    pipes[variant].feature_extractor.output_smoothing = 2.0
    assert result.keypoints.shape == source.keypoints.shape and np.isfinite(result.keypoints).all()
    assert (result.layout, result.fps, result.confidence) == (source.layout, source.fps, None)
    roots = [convert_layout(item, "lac-15").keypoints[0, 0, 8] for item in (source, result)]
    # Apart from the velocity that the network gives the first frame.
    assert np.linalg.norm(roots[0] - roots[1]) < 60


def test_only_the_body_of_the_target_matters_not_where_or_how_large_its_image_is(pipes):
    source, target = motion(), motion(seed=1)
    elsewhere = target.replace(keypoints=2 * (target.keypoints + [100, 0]), image_size=(1280, 960), fps=50)
    first, second = (pipes["view"](source, body).keypoints for body in (target, elsewhere))
    np.testing.assert_allclose(first, second, atol=1e-2)


def test_people_of_the_source_do_not_change_each_other(pipes):
    source, target = motion(33, people=2), motion(40, seed=1)
    together = pipes["view"](source, target)
    for person in range(2):
        alone = pipes["view"](source.person(person), target)
        np.testing.assert_allclose(together.keypoints[person], alone.keypoints[0], atol=1e-2)


def test_full_changes_body_or_view_alone(pipes):
    source, other = motion(), motion(seed=1)
    pipe = pipes["full"]
    both = pipe(source, other, view=other).keypoints
    body, view = pipe(source, other).keypoints, pipe(source, view=other).keypoints
    own = pipe(source, source, view=source).keypoints
    assert min(np.abs(a - b).max() for a, b in ((both, body), (both, view), (body, own), (view, own))) > 1e-3
    np.testing.assert_allclose(pipe(source, other, view=source).keypoints, body, atol=1e-3)


def test_missing_joints(echo):
    """Never detected: missing. Detected at times: bridged. No person in a frame: none in the result."""
    source = motion(12)
    points = source.keypoints.copy()
    wrist, ear = (source.layout.index(joint) for joint in ("left_wrist", "left_ear"))
    points[0, :, wrist] = NAN
    points[0, 4, source.layout.index("right_knee")] = NAN
    points[0, 7:9] = NAN
    points[0, 2, ear] = NAN
    result = echo(source.replace(keypoints=points), motion(seed=1)).joint_mask[0]
    assert not result[:, wrist].any() and not result[7:9].any() and not result[2, ear]
    rest = np.ones_like(result)
    rest[:, wrist], rest[7:9], rest[2, ear] = False, False, False
    # What hangs on the knee's own side is there again, too: the knee itself was filled in.
    assert (result == rest).all()


def test_long_gaps_stay_gaps_and_short_ones_are_bridged(echo):
    source = motion(30)
    points, wrist = source.keypoints.copy(), source.layout.index("left_wrist")
    points[0, 2:10, wrist] = NAN  # eight frames
    points[0, 15:24, wrist] = NAN  # nine
    source, target = source.replace(keypoints=points), motion(seed=1)
    shown = echo(source, target).joint_mask[0, :, wrist]
    assert np.flatnonzero(~shown).tolist() == list(range(15, 24))
    shown = echo(source, target, max_gap=0).joint_mask[0, :, wrist]
    assert (shown == source.joint_mask[0, :, wrist]).all()
    assert echo(source, target, max_gap=None).joint_mask[0, :, wrist].all()
    with pytest.raises(ValueError, match="max_gap"):
        echo(source, target, max_gap=-1)


def test_a_target_without_a_joint_gives_a_warning(pipes):
    points = motion(seed=1).keypoints.copy()
    points[:, :, get_layout("body-25").index("left_ankle")] = NAN
    with pytest.warns(UserWarning, match=r"target: \['left_ankle'\] are missing in all of"):
        result = pipes["view"](motion(), motion().replace(keypoints=points))
    assert np.isfinite(result.keypoints).all()


def test_no_person_in_the_source_gives_none_and_a_warning(pipes):
    empty = motion().replace(keypoints=np.full((1, 20, 25, 2), NAN))
    with pytest.warns(UserWarning, match="no motion"):
        result, report = pipes["view"](empty, motion(), return_report=True)
    assert not result.joint_mask.any() and report == []


def test_lists_give_lists(pipes):
    sources, targets = [motion(), motion(30, seed=2)], [motion(seed=3), motion(seed=4)]
    alone = [pipes["view"](*pair).keypoints for pair in zip(sources, targets, strict=True)]
    together = pipes["view"](sources, targets)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other.keypoints, atol=1e-3)
    shared = pipes["view"](sources, targets[0])
    np.testing.assert_allclose(shared[0].keypoints, alone[0], atol=1e-3)
    with pytest.raises(ValueError, match="one for each of the 2 sources"):
        pipes["view"](sources, targets[:1])
    assert pipes["view"]([], targets[0]) == []


def test_the_codes_are_features_too(pipes, tmp_path):
    pipes["view"].save_pretrained(tmp_path)
    features = pipeline("skeleton-feature-extraction", model=str(tmp_path), device="cpu", normalize=False)
    clip = motion(17, people=2)
    frames = features(clip, level="step")
    assert frames.shape == (2, 3, 160)
    np.testing.assert_allclose(frames.mean(axis=1), features(clip), atol=1e-4)


def test_files_go_in_and_out(pipes, tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        motionhub.write(motion(seed=seed), tmp_path / f"{name}.npz")
    result = pipes["view"](str(tmp_path / "a.npz"), tmp_path / "b.npz")
    np.testing.assert_allclose(result.keypoints, pipes["view"](motion(), motion(seed=1)).keypoints, atol=1e-3)
    for name in ("out.npz", "out.csv", "out"):  # a folder without suffix: OpenPose
        motionhub.write(result, tmp_path / name)
    again = motionhub.read(tmp_path / "out", fps=24, image_size=(640, 480))[0]
    np.testing.assert_allclose(again.keypoints, result.keypoints, rtol=1e-6)
    arrays = pipes["view"](motion().keypoints, motion(seed=1).keypoints, layout="body-25", fps=24, unit="pixel",
                           image_size=(640, 480))  # fmt: skip
    np.testing.assert_allclose(arrays.keypoints, result.keypoints, atol=1e-3)


def test_report_of_a_copy_has_the_errors_of_the_source(echo):
    source, target = motion(50), motion(50, seed=1)
    _, (report,) = echo(source, target, return_report=True)
    assert report["bone_length_error"] == pytest.approx(report["bone_length_error_of_source"], rel=1e-3)
    assert report["bone_length_error"] > 0.1
    assert len(report["per_bone"]) == 14 and report["per_bone"][0]["name"] == "mid_hip - neck"
    _, (own,) = echo(source, source, return_report=True)
    assert own["bone_length_error"] == pytest.approx(0, abs=1e-4)
    still = source.replace(keypoints=np.repeat(source.keypoints[:, :1], 50, axis=1), track_ids=(3,))
    _, (report,) = echo(still, target, return_report=True)
    assert (report["track_id"], report["contact_share"]) == (3, 1.0)
    assert report["foot_sliding"] == pytest.approx(0, abs=1e-4)
    _, (single,) = echo(motion(1), target, return_report=True)
    assert single["foot_sliding"] is None and single["contact_share"] is None


@pytest.mark.parametrize(
    ("variant", "inputs", "expected"),
    [
        ("view", lambda: (motion(), None), "Nothing to change"),
        ("view", lambda: (motion(), motion(people=2)), "2 people.*target_person=0"),
        ("view", lambda: (motion(), motion().replace(keypoints=np.full((1, 20, 25, 2), NAN))), "target: no valid"),
        ("view", lambda: (motion(image_size=None), motion()), "image_size"),
        ("view", lambda: (motion(), motion(frames=0)), "at least one frame"),
        ("view", lambda: (motion(), 3), "A pipeline takes a path"),
    ],
    ids=["no target", "two people", "no person", "no size", "no frame", "number"],
)
def test_what_cannot_be_done_is_refused(pipes, variant, inputs, expected):
    with pytest.raises(ValueError, match=expected):
        pipes[variant](*inputs())


def test_numbers_that_are_not_finite_are_an_error_not_a_motion(pipes, monkeypatch):
    bias = pipes["view"].model.decoder.convs[-1].bias
    monkeypatch.setattr(bias, "data", torch.full_like(bias, float("inf")))
    with pytest.raises(ValueError, match="not finite"):
        pipes["view"](motion(), motion())


def test_choosing_the_person_of_a_target_and_views_that_a_variant_cannot_use(pipes):
    target = motion(people=2, seed=1)
    chosen = pipes["view"](motion(), target, target_person=1).keypoints
    np.testing.assert_allclose(chosen, pipes["view"](motion(), target.person(1)).keypoints, atol=1e-3)
    with pytest.raises(ValueError, match='variant "full"'):
        pipes["view"](motion(), motion(), view=motion())
    with pytest.raises(ValueError, match="Unknown pipeline arguments"):
        pipes["view"](motion(), motion(), targetperson=1)


def test_body_scale_takes_what_has_no_image(tmp_path):
    processor = RetargetProcessor(mean=np.full((15, 2), 40.0), std=np.full((15, 2), 50.0), scale="body")
    pipe = pipeline("motion-retargeting", model=save(tmp_path, "skeleton", processor), device="cpu")
    source = motion(image_size=None)
    small = source.replace(keypoints=source.keypoints / 500, unit="normalised")
    first, second = (pipe(item, motion(seed=1, image_size=None)) for item in (source, small))
    np.testing.assert_allclose(first.keypoints, 500 * second.keypoints, atol=0.1)


def test_bones_alone_are_changed_exactly_and_after_a_target_at_the_end(pipes):
    from motionhub.skeletons.bodies import with_bone_lengths

    source, factors = motion(people=2), {"leg": 1.5, "left_wrist": 0.5}
    alone, report = pipes["view"](source, bone_factors=factors, return_report=True)
    np.testing.assert_array_equal(alone.keypoints, with_bone_lengths(source, factors).keypoints)
    bones = {bone["name"]: bone["length"] / bone["reference"] for bone in report[0]["per_bone"]}
    assert bones["left_hip - left_knee"] == pytest.approx(1.5, rel=1e-3)
    assert bones["right_shoulder - right_elbow"] == pytest.approx(1, rel=1e-3)
    made = pipes["view"](source, motion(seed=1))
    both = pipes["view"](source, motion(seed=1), bone_factors=factors)
    np.testing.assert_array_equal(both.keypoints, with_bone_lengths(made, factors).keypoints)
    with pytest.raises(ValueError, match="factors"):
        pipes["view"](source, bone_factors={"tail": 2.0})
    with pytest.raises(ValueError, match="bone_factors"):
        pipes["view"](source)


def in_space(frames=20, seed=0, **changes):
    points = np.random.default_rng(seed).normal(size=(1, frames, 25, 3))
    return motionhub.SkeletonSequence(points, layout="ntu-25", fps=30, unit="metre", **changes)


@pytest.mark.parametrize("role", ["source", "target", "view"])
def test_3d_motion_for_a_2d_model_is_refused_with_the_calls_that_help(pipes, echo, monkeypatch, role):
    """With the processor of RetargetNet, and with the general one, which would drop the depth."""
    from motionhub.data.views.cameras import Camera, project_to_pixels, seen_by

    clips = {name: motion(seed=seed) for seed, name in enumerate(("source", "target", "view"))} | {role: in_space()}
    general = motionhub.SkeletonProcessor(layout="lac-15", num_dims=2, num_people=1, normalization="centre")
    for processor in (echo.feature_extractor, general):
        monkeypatch.setattr(echo, "feature_extractor", processor)
        with pytest.raises(ValueError, match=f"works in 2-D, and the {role} is 3-D.*to_pixels.*seen_by.*--project"):
            echo(**clips)
    for seen in (project_to_pixels(in_space(), azimuth=0), seen_by(in_space(), Camera(azimuth=0))):
        assert np.isfinite(echo(**{**clips, role: seen}).keypoints).all()


@pytest.mark.parametrize("role", ["source", "target"])
def test_2d_motion_for_a_3d_model_is_refused(echo, monkeypatch, role):
    general = motionhub.SkeletonProcessor(layout="lac-15", num_dims=3, num_people=1, normalization="centre")
    monkeypatch.setattr(echo, "feature_extractor", general)
    clips = {"source": in_space(), "target": in_space(seed=1)} | {role: motion()}
    with pytest.raises(ValueError, match=f"works in 3-D, and the {role} is 2-D.*checkpoint that works in 2-D"):
        echo(**clips)


def test_bones_alone_are_changed_in_space_whatever_the_model_works_in(pipes):
    assert pipes["view"](in_space(), bone_factors={"leg": 2.0}).num_dims == 3
