"""Descriptions of motions lose what joints cannot show, and texts that describe none are left out."""

import pytest

from motionhub.data.datasets.descriptions import canonical_description


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A person is waving with the left hand.", "waving with the left hand"),
        ("a human walks straight", "walks straight"),
        ("Somebody jumps", "jumps"),
        ("The young woman who is dancing turns around.", "dancing turns around"),
        ("they are sitting down", "sitting down"),
        ("person walking to the front", "walking to the front"),
        ("run/jog, veer left", "run, jog, veer left"),
        ("PickUpBox", "pick up box"),
        ("melee_one-handed attack", "melee one-handed attack"),
        ("personal training", "personal training"),  # begins like a person
        ("jump (forward)", "jump"),
        ("walk in place as fast as you can", "walk in place"),
    ],
)
def test_who_moves_and_punctuation_are_left_out(text, expected):
    assert canonical_description(text) == expected


@pytest.mark.parametrize(
    "text", ["", "...", "42", "(human subject)", "snake (human subject)", "Alaskan vacation", "x" * 121,
             "LongSequenceGood", "buy <a href=http://tour>tickets</a>", "see www.example.org", "RandomStuff random"]
)  # fmt: skip
def test_what_describes_no_motion_is_none(text):
    assert canonical_description(text) is None


def test_a_canonical_description_stays_as_it_is():
    for text in ("A person is waving.", "run/jog", "PickUpBox"):
        once = canonical_description(text)
        assert once is not None and canonical_description(once) == once
