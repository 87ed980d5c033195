"""Every folder of hub_configs has its card and image, and the card is what its other files render to now."""

import shutil
from pathlib import Path

import pytest
from helpers import load_script, read_json

import motionhub
from motionhub.hub.card import read_card_facts, render_model_card


REPOSITORY = Path(__file__).resolve().parent.parent
FOLDERS = sorted(path.parent for path in (REPOSITORY / "hub_configs").glob("*/config.json"))
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


def content(folder: Path, name: str):
    return read_json(folder / name) if (folder / name).is_file() else None


@each_folder
def test_the_card_is_a_fresh_one(folder):
    """Otherwise: python examples/write_card.py hub_configs/NAME"""
    config, processor = content(folder, "config.json"), content(folder, "preprocessor_config.json")
    layout = processor.get("layout") or config.get("layout")  # models of images have none
    about = {"joints": motionhub.get_layout(layout).joints, "image": "layout.png"} if layout else {"joints": ()}
    recipe, results, facts = content(folder, "training.json"), content(folder, "results.json"), read_card_facts(folder)
    fresh = render_model_card(config, processor, recipe, results, facts, **about)
    assert (folder / "README.md").read_text(encoding="utf-8") == fresh
    assert not layout or (folder / "layout.png").read_bytes().startswith(b"\x89PNG")


def test_the_script_writes_the_card_of_weights_that_have_no_recipe(tmp_path):
    pytest.importorskip("PIL")
    folder = REPOSITORY / "hub_configs" / "retarget-full-aberman"
    names = ("config.json", "preprocessor_config.json", "card.yaml")
    for name in names:
        shutil.copy(folder / name, tmp_path)
    load_script("examples/write_card.py").main([str(tmp_path)])
    assert (tmp_path / "README.md").read_text() == (folder / "README.md").read_text()
    assert "Not trained with a recipe of this library." in (tmp_path / "README.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "README.md", "layout.png"])


def test_numbers_are_not_listed_as_names_and_an_encoder_lists_none():
    def card_of(name):
        return (REPOSITORY / "hub_configs" / name / "README.md").read_text()

    assert "Labels: 320 numbered classes (names not published)." in card_of("unik-posetics")
    assert "class 0" not in card_of("unik-posetics") and "Labels (60): drink water" in card_of("agcn-ntu60")
    assert "Labels" not in card_of("or-vpe-ntu120-2d")
