"""Cards and runs of strangers: YAML that would expand without bound, and JSON of another form, are one line."""

import json

import pytest

from motionhub.hub.cache import check_data_files
from motionhub.hub.card import read_card_facts
from motionhub.hub.packaged import model_id
from motionhub.hub.push import check_dataset_card
from motionhub.hub.run_card import write_run_card
from tests.helpers import error_of
from tests.test_bounded import LAUGHS


FACTS = {"licence": "mit", "data": "x", "data_licence": "x"}


def test_card_facts_with_anchors_are_refused(tmp_path):
    (tmp_path / "card.yaml").write_text(LAUGHS)
    assert "anchors" in error_of(read_card_facts, tmp_path)


@pytest.mark.parametrize("name", ["README.md", ".huggingface.yaml"])
def test_a_dataset_card_with_anchors_is_refused_before_its_files_are_looked_for(name, tmp_path):
    text = f"{LAUGHS}data_files: *i\n"
    (tmp_path / name).write_text(f"---\n{text}---\n\n# x\n" if name == "README.md" else text)
    assert "anchors" in error_of(lambda: check_data_files(tmp_path))
    if name == "README.md":
        assert "anchors" in error_of(check_dataset_card, tmp_path)


HOSTILE = {
    "config.json": ["[" * 100_000, "[]", '{"architectures": 5}', "\x00"],
    "metrics.json": ["[" * 100_000, "[1]", '{"top1": "x"}', '{"top1": [1]}'],
}


@pytest.mark.parametrize(("name", "content"), [(name, each) for name in HOSTILE for each in HOSTILE[name]])
def test_a_run_with_a_hostile_file_gets_no_card(name, content, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "motionhub_unik", "encoder_config": 3}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / name).write_text(content)
    assert error_of(lambda: write_run_card(tmp_path, **FACTS)).startswith(f"{tmp_path / name}: ")
    assert not (tmp_path / "card.yaml").exists()


def test_a_folder_of_the_repository_names_its_packaged_checkpoint_where_there_is_no_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source in ("unik-penn", "hub_configs/unik-penn", "hub_configs/unik-penn/"):
        assert model_id(source) == "motionhub/unik-penn"
    assert model_id("hub_configs/../unik-penn") == "hub_configs/../unik-penn"
    (tmp_path / "hub_configs" / "unik-penn").mkdir(parents=True)
    assert model_id("hub_configs/unik-penn") == "hub_configs/unik-penn"


def test_a_dataset_whose_card_names_files_elsewhere_is_not_pushed_or_packed(tmp_path):
    card = "---\nlicense: mit\nconfigs:\n- config_name: x\n  data_files: /etc/passwd.csv\n---\n# Licence\n# Citation\n"
    (tmp_path / "README.md").write_text(card)
    assert "names '/etc/passwd.csv'; data_files must be relative" in error_of(check_dataset_card, tmp_path)
