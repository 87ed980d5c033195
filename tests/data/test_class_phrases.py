"""Every class of the datasets has words, verbs are spelled as in English, spellings of one action lead to it."""

import re

import pytest

from motionhub.data.datasets.class_phrases import (
    PARTS,
    action_phrases,
    bank_phrases,
    class_texts,
    find_action,
    progressive_form,
    spelling_key,
    third_person,
)
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.synthetic.generate import ACTIONS


# Names that say nothing: the datasets publish numbers only.
NUMBERED = re.compile(r"action \d+|c\d{3}")
# Titles of Charades as its Charades_v1_classes.txt writes them.
CHARADES = (
    "Holding some clothes",
    "Tidying up a towel/s",
    "Watching/Reading/Looking at a book",
    "Someone is going from standing to sitting",
    "Someone is awakening in bed",
    "Taking/consuming some medicine",
    "Watching something/someone/themselves in a mirror",
)


@pytest.mark.parametrize("reader", DATASETS.values(), ids=lambda reader: reader.name)
def test_every_class_that_has_a_name_has_words(reader):
    named = [name for name in reader.class_names if not NUMBERED.fullmatch(name)]
    assert [name for name in named if find_action(name) is None] == []


@pytest.mark.parametrize("name", [*ACTIONS, *CHARADES])
def test_synthetic_actions_and_the_titles_of_charades_have_words(name):
    assert len(class_texts(name)) >= 3


def test_about_two_thousand_different_actions():
    keys = [spelling_key(action.phrase) for action in action_phrases()]
    assert len(keys) == len(set(keys))
    assert 1900 <= len(keys) <= 2100


def test_no_cell_has_a_slot_left_or_blanks_around():
    for action in action_phrases():
        for text in (*action.texts, *action.classes, *action.parts.values()):
            assert text == text.strip() and text and not set(text) & set("{};")


@pytest.mark.parametrize(
    ("verb", "progressive", "third"),
    [
        ("sit", "sitting", "sits"),
        ("squat", "squatting", "squats"),
        ("make", "making", "makes"),
        ("lie", "lying", "lies"),
        ("tiptoe", "tiptoeing", "tiptoes"),
        ("carry", "carrying", "carries"),
        ("play", "playing", "plays"),
        ("catch", "catching", "catches"),
        ("box", "boxing", "boxes"),
        ("row", "rowing", "rows"),
        ("have", "having", "has"),
        ("do", "doing", "does"),
        ("open", "opening", "opens"),
    ],
)
def test_forms_of_verbs(verb, progressive, third):
    assert (progressive_form(verb), third_person(verb)) == (progressive, third)


def test_texts_of_a_class_say_it_in_several_ways():
    texts = class_texts("sit down")
    assert texts[0] == "sit down"
    assert {"take a seat", "sitting down", "a person is sitting down", "someone takes a seat"} <= set(texts)
    assert "a person is picking up and throwing" in class_texts("pick up and throw")
    assert len(texts) == len(set(texts))


def test_spellings_of_data_sets_mean_the_same_action():
    names = ("Sitdown", "Sit_down", "sitting down", "SIT-DOWN", "take a seat")
    assert {find_action(name).phrase for name in names} == {"sit down"}
    assert find_action("Cook.Cleandishes") is find_action("Clean_dishes") is find_action("washing dishes")


def test_opposites_stay_apart():
    for one, other in [
        ("sit down", "stand up"),
        ("put on glasses", "take off glasses"),
        ("swipe left", "swipe right"),
    ]:
        assert not set(class_texts(one)) & set(class_texts(other))


def test_an_unknown_class_keeps_its_own_name_and_a_blank_one_is_refused():
    assert class_texts("Zorbing_Downhill") == ("zorbing downhill", "a person, zorbing downhill")
    with pytest.raises(ValueError, match="name of a class"):
        class_texts(" - ")


def test_body_parts_are_the_named_ones():
    assert set(find_action("jumping_jacks").parts) == {"arms", "legs"}
    assert all(set(action.parts) <= set(PARTS) for action in action_phrases())
    described = [
        name
        for reader in ("n-ucla", "utd-mhad", "penn-action", "ui-prmd", "bandai-namco")
        for name in DATASETS[reader].class_names
        if (action := find_action(name)) is not None and action.parts
    ]
    assert len(described) == 10 + 27 + 15 + 10 + 10


def test_phrases_of_a_bank_differ_and_its_other_spellings_lead_to_them():
    phrases, aliases = bank_phrases()
    assert len({spelling_key(phrase) for phrase in phrases}) == len(phrases)
    assert set(aliases.values()) <= set(phrases)
    assert aliases["sitting down"] == aliases["Sitdown"] == "sit down"
