"""`motionhub convert` from everything readable to everything writable: the same numbers, or a line with the reason."""

import subprocess
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from forks import forked
from format_samples import SAMPLES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import motionhub
from motionhub.cli.main import main
from motionhub.data.datasets.reading import read
from motionhub.data.formats import decoding
from motionhub.data.formats.formats import FORMATS, WRITERS
from motionhub.skeletons.convert import with_up
from motionhub.skeletons.sequence import SkeletonSequence


@pytest.fixture(autouse=True)
def without_starting_python(monkeypatch):
    """Files that are decoded in a process of their own are decoded in a fork: hundreds of times faster to start."""
    monkeypatch.setattr(decoding, "subprocess", SimpleNamespace(**{**vars(subprocess), "run": forked}))


SUFFIXES = {name: writer.suffix for name, writer in WRITERS.items()}
# Why a clip may not fit: words of the refusal, which the clip must deserve.
REASONS = {
    "got 2-D keypoints": lambda clip: clip.num_dims == 2,
    "got 3-D": lambda clip: clip.num_dims == 3,
    "holds pixels, got": lambda clip: clip.unit != "pixel",
    "lengths, got": lambda clip: clip.unit != "metre",
    "one person, got": lambda clip: clip.num_people != 1,
    "holds the joints of": lambda clip: clip.layout.name not in ("coco-17", "body-25", "openpose-18"),
    "coco-17": lambda clip: clip.layout.name != "coco-17",
    "body-25": lambda clip: clip.layout.name not in ("body-25", "openpose-18"),
    "missing": lambda clip: not clip.joint_mask.all(),
}
# What a format cannot say, and so must be told again.
TOLD = {
    "csv": ("layout",),
    "coco": ("fps",),
    "openpose": ("fps", "layout"),
    "bvh": ("layout",),
    "trc": ("layout",),
}
MILLIMETRE = 1e-3


def assert_same(back: SkeletonSequence, clip: SkeletonSequence, form: str) -> None:
    """All numbers and facts that the format holds; BVH and TRC are written with y up."""
    if form in ("bvh", "trc") and clip.up is not None:
        clip = with_up(clip, "y")
    assert (back.layout, back.unit, back.num_frames) == (clip.layout, clip.unit, clip.num_frames)
    assert back.fps == pytest.approx(clip.fps, rel=1e-4)
    if form == "bvh":
        np.testing.assert_allclose(back.keypoints, clip.keypoints, atol=MILLIMETRE)
        return
    order = [back.track_ids.index(track) for track in clip.track_ids] if form != "trc" else [0]
    np.testing.assert_array_equal(back.keypoints[order], clip.keypoints)
    if clip.confidence is not None and form in ("npz", "parquet", "csv"):
        expected = np.where(clip.joint_mask, clip.confidence, 0) if form == "csv" else clip.confidence
        np.testing.assert_array_equal(back.confidence[order], expected)  # empty cells have no confidence


def read_back(path, form: str, clip: SkeletonSequence) -> list[SkeletonSequence]:
    facts = {"fps": clip.fps, "unit": clip.unit, "layout": clip.layout}
    return read(path, **{name: facts[name] for name in TOLD.get(form, ())})


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_readable_format_becomes_every_writable_one_or_says_why_not(name, form, tmp_path, capsys):
    for number, sample in enumerate(SAMPLES[name]):
        folder = tmp_path / str(number)
        for place, content in sample.files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(content)
        clips, out = read(folder / sample.target, **sample.options), folder / f"out{SUFFIXES[form]}"
        flags = {"layout": "--in_layout", "fps": "--in_fps", "unit": "--unit"}
        options = [word for key, value in sample.options.items() for word in (flags[key], str(value))]
        status = main(["convert", str(folder / sample.target), str(out), "--to", form, *options])
        lines = capsys.readouterr().err.splitlines(keepends=True)
        error = "".join(line for line in lines if not line.startswith("motionhub: note: "))
        if status:
            assert status == 2 and error.count("\n") == 1 and not out.exists()
            assert any(reason in error and fits(clips[0]) for reason, fits in REASONS.items()), error
            continue
        assert not error
        if WRITERS[form].encode_all is not None or len(clips) == 1:
            written = read_back(out, form, clips[0])
        else:
            paths = [out.with_name(f"{out.stem}-{index}{out.suffix}") for index in range(len(clips))]
            written = [read_back(path, form, clip)[0] for path, clip in zip(paths, clips, strict=True)]
        for back, clip in zip(written, clips, strict=True):
            assert_same(back, clip, form)


@st.composite
def sequences(draw: Any, form: str) -> SkeletonSequence:
    """Any clip that the format can hold: any float32, joints missing, people who come and go."""
    flat = form in ("coco", "openpose")
    alone = form in ("bvh", "trc")
    layout = {"coco": "coco-17", "openpose": "body-25"}.get(form) or draw(st.sampled_from(("kinect-20", "coco-17")))
    dims = 2 if flat else 3 if alone else draw(st.sampled_from((2, 3)))
    people, frames = 1 if alone else draw(st.integers(1, 3)), draw(st.integers(2, 5))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    joints = motionhub.get_layout(layout).num_joints
    scale = 1.0 if form == "bvh" else 10.0 ** draw(st.integers(-6, 6))
    points = (scale * chance.normal(size=(people, frames, joints, dims))).astype(np.float32)
    if flat:  # a tracker is not asked who is who: the numbers of the people are in the file
        points = np.abs(points) + np.float32(1e-3)
    if form != "bvh":
        points[chance.random((people, frames, joints)) < draw(st.floats(0, 1))] = np.nan
    confidence = None
    if draw(st.booleans()) and not alone:
        confidence = np.where(np.isnan(points[..., 0]), 0, chance.uniform(0.1, 1, (people, frames, joints)))
    tracks = tuple(draw(st.lists(st.integers(0, 2**31), min_size=people, max_size=people, unique=True)))
    unit = "pixel" if flat else "metre"
    return SkeletonSequence(
        points, layout, draw(st.sampled_from((24, 25, 29.97, 30, 60))), unit, confidence, None, tracks
    )


@pytest.mark.parametrize("form", WRITERS)
def test_whatever_is_written_reads_back_as_the_same_numbers(form, tmp_path_factory):
    @settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
    @given(sequences(form))
    def law(clip: SkeletonSequence) -> None:
        path = tmp_path_factory.mktemp("clip") / f"out{SUFFIXES[form]}"
        assert_same(read_back(motionhub.write(clip, path, form), form, clip)[0], clip, form)

    law()


LIMBS = {f"{side}_{joint}" for side in ("left", "right") for joint in ("elbow", "wrist", "hip", "knee", "ankle")}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in FORMATS if name in SAMPLES])
def test_a_conversion_to_another_layout_has_limbs_or_fails_and_writes_nothing(name, tmp_path, capsys):
    sample, out, flags = SAMPLES[name][0], tmp_path / "out.npz", {"layout": "--in_layout", "fps": "--in_fps"}
    for place, content in sample.files.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(content)
    options = [word for key, value in sample.options.items() for word in (flags.get(key, f"--{key}"), str(value))]
    status = main(["convert", str(tmp_path / sample.target), str(out), "--layout", "coco-17", *options])
    if status:
        assert status == 2 and capsys.readouterr().err.startswith("motionhub: ") and not [*tmp_path.glob("out*")]
    else:
        clip = read(sorted(tmp_path.glob("out*"))[0])[0]
        assert any(clip.joint_mask[:, :, clip.layout.index(joint)].any() for joint in LIMBS)
