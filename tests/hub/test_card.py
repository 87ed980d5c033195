"""The model card: refuses what would mislead, compares paper and measurement, always the same text."""

import pytest
import yaml

from motionhub.hub.card import check_facts, read_card_facts, render_model_card, write_model_card
from motionhub.papers import PAPERS


FACTS = {
    "name": "unik-nucla",
    "title": "UNIK on N-UCLA",
    "summary": "Ten actions.",
    "task": "action-classification",
    "papers": ["yang2021unik"],
    "licence": {"hub": "other", "code": "Apache-2.0", "weights": "research use", "data": "research use"},
    "weights": {"status": "trained here", "provenance": "Trained with this library on views 1 and 2."},
    "training_data": [{"name": "N-UCLA", "paper": "wang2014nucla", "licence": "research use"}],
    "paper_results": [{"benchmark": "N-UCLA", "metric": "accuracy", "value": 86.9, "setting": "J+B"}],
    "limits": ["Kinect joints only."],
}
CONFIG = {"model_type": "motionhub_unik", "num_joints": 2, "in_channels": 3, "num_people": 1, "id2label": {"0": "sit"}}
PROCESSOR = {"layout": "kinect-20", "num_dims": 3, "feature_extractor_type": "SkeletonProcessor", "fps": None}
RECIPE = {"learning_rate": 0.1, "source": "SPECS 2.5"}
RESULTS = [
    {
        "benchmark": "N-UCLA",
        "metric": "accuracy",
        "value": 80.4,
        "spread": 1.2,
        "runs": 3,
        "command": "motionhub train",
    }
]


def render(facts=FACTS, results=RESULTS):
    return render_model_card(CONFIG, PROCESSOR, RECIPE, results, facts, joints=("head", "neck"))


def without(path):
    """FACTS with one entry taken out."""
    first, _, second = path.partition(".")
    facts = {key: dict(value) if isinstance(value, dict) else value for key, value in FACTS.items()}
    if second:
        del facts[first][second]
    else:
        del facts[first]
    return facts


@pytest.mark.parametrize(
    "path", ["licence", "licence.code", "licence.weights", "licence.data", "weights.provenance", "training_data"]
)
def test_no_card_without_licence_or_provenance(path):
    with pytest.raises(ValueError, match=path):
        render(without(path))


def test_unknown_facts_are_refused_by_name():
    with pytest.raises(ValueError, match="licnce"):
        render({**FACTS, "licnce": "MIT"})


@pytest.mark.parametrize("file", ["../curve.png", "/tmp/curve.png", "curve.svg", None])
def test_a_picture_is_a_png_beside_the_card(file):
    with pytest.raises(ValueError, match="a PNG beside it"):
        check_facts({**FACTS, "pictures": [{"file": file, "caption": "A curve."}]})


def test_gap_is_measured_minus_paper():
    card = render()
    assert "| N-UCLA | accuracy | 86.9 (J+B) | 80.4 ± 1.2 (3 runs) | -6.5 |" in card
    assert "`motionhub train`" in card


def test_numbers_of_the_paper_alone_are_not_called_measured():
    card = render(results=None)
    assert "| N-UCLA | accuracy | 86.9 (J+B) | not measured here | - |" in card
    assert "model-index" not in card


def test_same_input_gives_the_same_text():
    assert render() == render()
    assert render({key: FACTS[key] for key in reversed(FACTS)}) == render()


def test_metadata_is_what_the_hub_reads():
    metadata = yaml.safe_load(render().split("---\n")[1])
    assert metadata["library_name"] == "transformers"
    assert metadata["pipeline_tag"] == "action-classification"
    assert metadata["license"] == "other"
    assert metadata["model-index"][0]["results"][0]["metrics"][0]["value"] == 80.4


def test_card_names_joints_labels_fields_and_citation():
    card = render()
    for text in (
        "| 0 | head |",
        "| 1 | neck |",
        "Labels (1): sit.",
        "| layout | kinect-20 |",
        "| learning_rate | 0.1 |",
    ):
        assert text in card
    assert "feature_extractor_type" not in card
    assert PAPERS["yang2021unik"].bibtex in card


def test_conversion_command_comes_before_the_example():
    facts = {
        **FACTS,
        "weights": {**FACTS["weights"], "command": "python conversion/unik.py a.pt out", "folder": "out"},
    }
    card = render(facts)
    assert card.index("python conversion/unik.py a.pt out") < card.index('model="out"')


def test_card_is_written_as_readme(tmp_path):
    path = write_model_card(tmp_path, CONFIG, PROCESSOR, RECIPE, RESULTS, FACTS, joints=("head", "neck"))
    assert path == tmp_path / "README.md"
    assert path.read_text(encoding="utf-8") == render()


def test_facts_file_is_read_and_its_faults_are_reported(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(FACTS), encoding="utf-8")
    assert read_card_facts(tmp_path) == FACTS
    path.write_text("a: [", encoding="utf-8")
    with pytest.raises(ValueError, match="not YAML"):
        read_card_facts(path)
    with pytest.raises(ValueError, match="no card facts"):
        read_card_facts(tmp_path / "absent.yaml")


def test_bibtex_of_every_paper_has_balanced_braces_and_its_key():
    for key, paper in PAPERS.items():
        assert paper.key == key
        assert paper.bibtex.startswith(f"@{paper.kind}{{{key},")
        assert paper.bibtex.count("{") == paper.bibtex.count("}")
        assert f"{{{{{paper.title}}}}}" in paper.bibtex
