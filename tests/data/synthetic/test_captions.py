"""Captioned clips: classes by their first phrase, rows in one layout, the same for the same seed."""

import numpy as np
import pytest

from motionhub.data.synthetic.captions import (
    LAYOUT,
    CaptionedClip,
    captioned_dataset,
    entailment_mask,
    opposed_mask,
)
from motionhub.data.synthetic.generate import generate
from motionhub.data.synthetic.phrases import captioned_motions
from motionhub.skeletons.rows import from_row


def captioned() -> list[CaptionedClip]:
    first, second = generate("wave", seed=0), generate("squat", seed=1)
    flat = first.replace(keypoints=first.keypoints[..., :2] * [100, -100] + 300, unit="pixel", image_size=(640, 480))
    return [
        CaptionedClip(first, ("wave", "greet"), "a"),
        CaptionedClip(second, ("squat",), "b"),
        CaptionedClip(flat, ("wave", "say hello"), "c"),
    ]


def test_clips_of_one_first_phrase_are_one_class_with_all_phrases():
    rows, phrases = captioned_dataset(captioned(), rows_per_clip=2)
    assert phrases == [("wave", "greet", "say hello"), ("squat",)]
    assert rows["label"] == [0, 0, 1, 1, 0, 0] and rows.features["label"].names == ["wave", "squat"]
    clips = [from_row(row) for row in rows.with_format("numpy")]
    assert {(clip.layout.name, clip.num_dims, clip.num_people) for clip in clips} == {(LAYOUT, 2, 1)}
    head, ankle = (clips[0].layout.index(name) for name in ("head", "left_ankle"))
    for clip in clips:  # y downward: heads have the smaller y
        height = np.nanmean(clip.keypoints[..., head, 1]) - np.nanmean(clip.keypoints[..., ankle, 1])
        assert not height > 0


def test_a_name_is_true_of_what_says_more_but_not_the_other_way_round():
    phrases = [("walk", "go on foot"), ("stroll", "walk slowly"), ("sit",), ("sit up",), ("walk",)]
    found = entailment_mask(phrases)
    assert found.nonzero()[0].tolist() == [1, 1] and found.nonzero()[1].tolist() == [0, 4]


def test_names_with_opposite_words_are_told_apart():
    phrases = [
        ("swipe left", "x"),
        ("swipe right",),
        ("swipe left and right",),
        ("walk",),
        ("sit down",),
        ("stand up",),
    ]
    found = opposed_mask(phrases)
    assert {tuple(sorted(pair)) for pair in np.argwhere(found).tolist()} == {(0, 1), (4, 5)}
    np.testing.assert_array_equal(found, found.T)


def test_rows_of_a_clip_differ_and_come_again_with_the_seed():
    first, _ = captioned_dataset(captioned(), rows_per_clip=2, seed=3)
    again, _ = captioned_dataset(captioned(), rows_per_clip=2, seed=3)
    assert first["clip_id"] == again["clip_id"] == ["a#0", "a#1", "b#0", "b#1", "c#0", "c#1"]
    np.testing.assert_array_equal(first[0]["keypoints"], again[0]["keypoints"])
    assert first[0]["keypoints"] != first[1]["keypoints"]


def test_clips_without_words_and_no_clips_are_refused():
    with pytest.raises(ValueError, match="no phrases"):
        captioned_dataset([CaptionedClip(generate("wave"), ())])
    with pytest.raises(ValueError, match="no clips"):
        captioned_dataset([])


def test_words_say_which_side_moves():
    sided = [motion for motion in captioned_motions() if motion.phrases[0] in ("raise right arm", "raise left arm")]
    assert [motion.mirror for motion in sided] == [False, True]
    for motion, side in zip(sided, ("right", "left"), strict=True):
        clip = generate(motion.motion, seed=0, left_handed=motion.mirror)
        rise = {
            each: np.ptp(clip.keypoints[0, :, clip.layout.index(f"{each}_wrist"), 1]) for each in ("left", "right")
        }
        assert max(rise, key=rise.get) == side
    for motion in captioned_motions():
        assert not any("{" in phrase for phrase in motion.phrases)
