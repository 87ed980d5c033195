"""`motionhub.push`: everything in one commit, nothing without licence and provenance, nothing stale after the next."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from datasets import load_dataset
from helpers import read_json, write_json
from huggingface_hub import DatasetCard, HfApi, ModelCard, hf_hub_download, parse_eval_result_entries
from loopback_hub import TOKEN
from transformers import AutoModel, pipeline

import motionhub
from motionhub.cli.main import main
from motionhub.data.build.build import save_dataset
from motionhub.hub.push import push


pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

MODEL, ROWS = "tester/unik-small", "tester/nucla"
SMALL = Path(__file__).resolve().parents[2] / "hub_configs" / "unik-nucla-small"
FACTS = {
    "name": "unik-small",
    "title": "A small UNIK",
    "summary": "Three actions.",
    "task": "action-classification",
    "papers": ["yang2021unik"],
    "licence": {"hub": "cc-by-4.0", "code": "Apache-2.0", "weights": "CC-BY-4.0", "data": "CC-BY-4.0"},
    "weights": {"status": "included", "provenance": "Random numbers, seed 0."},
    "training_data": [{"name": "None"}],
    "benchmarks": {"N-UCLA": {"dataset": ROWS, "config": "cross-subject", "split": "test"}},
    "paper_results": [{"benchmark": "N-UCLA", "metric": "top-1", "value": 90.0}],
    "limits": ["It knows nothing."],
}
RESULTS = [
    {"benchmark": "N-UCLA", "metric": "top-1", "value": 33.3, "runs": 2, "spread": 0.5, "command": "motionhub train"},
    {"benchmark": "N-UCLA", "metric": "mean per-class accuracy", "value": 30.0},
    {"benchmark": "N-UCLA, control: ridge", "metric": "top-1", "value": 60.0, "control": True},
    {"benchmark": "Our own clips", "metric": "top-1", "value": 50.0},
]


@pytest.fixture
def model():
    config = motionhub.UnikConfig(
        layout="kinect-20", num_joints=20, in_channels=3, channels=[4], strides=[1], num_heads=1,
        first_block_heads=1, id2label={0: "sit down", 1: "stand up", 2: "throw"},
    )  # fmt: skip
    torch.manual_seed(0)
    return motionhub.UnikForActionClassification(config)


@pytest.fixture
def processor():
    return motionhub.SkeletonProcessor(layout="kinect-20", num_dims=3, normalization="centre")


@pytest.fixture
def folder(model, processor, tmp_path):
    """As training leaves it, with a card."""
    path = tmp_path / "best"
    model.save_pretrained(path)
    processor.save_pretrained(path)
    write_json(path / "training.json", {"learning_rate": 0.125, "source": "chosen by us"})
    write_json(path / "results.json", RESULTS)
    (path / "card.yaml").write_text(yaml.safe_dump(FACTS))
    (path / "state").mkdir()
    (path / "state" / "optimizer.bin").write_bytes(bytes(100))
    return path


def content(name, repo=MODEL):
    return Path(hf_hub_download(repo, name)).read_text(encoding="utf-8")


def test_a_folder_arrives_whole_in_one_commit_and_loads(hub, folder, model):
    address = push(folder, MODEL)
    commits = hub.repositories["model", MODEL].commits
    assert len(commits) == 2 and address.endswith(list(commits)[-1])
    names = {name for name in HfApi().list_repo_files(MODEL) if name != "layout.png"}
    assert names == {
        ".gitattributes", ".eval_results/tester-nucla.yaml", "README.md", "card.yaml", "config.json",
        "model.safetensors", "motionhub_remote.py", "preprocessor_config.json", "results.json", "training.json",
    }  # fmt: skip
    loaded = motionhub.AutoModelForActionClassification.from_pretrained(MODEL)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert type(pipeline("action-classification", model=MODEL, device="cpu").model) is type(model)
    assert json.loads(content("training.json"))["learning_rate"] == 0.125
    assert "optimizer" not in "".join(hub.requests)


def test_the_card_is_what_the_hub_reads_and_compares_every_number_with_the_paper(hub, folder):
    push(folder, MODEL)
    card = ModelCard.load(MODEL)
    assert (card.data.license, card.data.library_name) == ("cc-by-4.0", "transformers")
    assert card.data.pipeline_tag == "action-classification"
    assert card.data.datasets == [ROWS]
    scores = [(each.dataset_name, each.metric_name, each.metric_value) for each in card.data.eval_results]
    assert scores == [
        ("N-UCLA", "top-1 (per cent)", 33.3),
        ("N-UCLA", "mean per-class accuracy (per cent)", 30.0),
        ("Our own clips", "top-1 (per cent)", 50.0),
    ]
    first = card.data.eval_results[0]
    assert (first.dataset_type, first.dataset_config, first.dataset_split) == (ROWS, "cross-subject", "test")
    assert "| N-UCLA | top-1 | 90.0 | 33.3 ± 0.5 (2 runs) | -56.7 |" in card.text
    assert "| N-UCLA, control: ridge | top-1 | - | 60.0 | - |" in card.text
    assert f'model="{MODEL}"' in card.text and "learning_rate | 0.125" in card.text


def test_eval_results_name_the_dataset_and_only_this_models_first_metric(hub, folder):
    push(folder, MODEL)
    (entry,) = parse_eval_result_entries(yaml.safe_load(content(".eval_results/tester-nucla.yaml")))
    assert (entry.dataset_id, entry.task_id, entry.value) == (ROWS, "cross-subject", 33.3)
    assert entry.notes == "top-1, per cent: 33.3 ± 0.5 (2 runs). motionhub train"


def test_the_card_shows_the_joints(hub, folder):
    pytest.importorskip("PIL")
    push(folder, MODEL)
    assert "](layout.png)" in content("README.md")
    assert Path(hf_hub_download(MODEL, "layout.png")).read_bytes().startswith(b"\x89PNG")


def test_without_the_extra_viz_the_card_has_no_image(hub, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    push(folder, MODEL)
    assert "layout.png" not in content("README.md")
    assert "layout.png" not in HfApi().list_repo_files(MODEL)


def test_pushing_again_leaves_nothing_stale(hub, folder):
    push(folder, MODEL)
    HfApi().upload_file(repo_id=MODEL, path_in_repo="modeling_old.py", path_or_fileobj=b"old")
    HfApi().upload_file(repo_id=MODEL, path_in_repo="model-00002-of-00002.safetensors", path_or_fileobj=b"old")
    HfApi().upload_file(repo_id=MODEL, path_in_repo="notes.md", path_or_fileobj=b"by hand")
    loaded = AutoModel.from_pretrained(MODEL)  # the encoder alone, with the config as it came from the Hub
    push(loaded, MODEL, processor=motionhub.SkeletonProcessor(layout="kinect-20", num_dims=3), card=FACTS)
    names = set(HfApi().list_repo_files(MODEL))
    assert not names & {"modeling_old.py", "model-00002-of-00002.safetensors", ".eval_results/tester-nucla.yaml"}
    assert {"notes.md", "motionhub_remote.py", "model.safetensors"} <= names
    config = json.loads(content("config.json"))
    assert config["auto_map"]["AutoModel"] == "motionhub_remote.UnikModel"
    assert not [reference for reference in config["auto_map"].values() if "--" in reference]
    assert config["architectures"] == ["UnikModel"]


def test_a_branch_and_a_pull_request_leave_main_alone(hub, folder):
    push(folder, MODEL)
    before = HfApi().model_info(MODEL).sha
    (folder / "training.json").write_text("{}")
    push(folder, MODEL, revision="next")
    push(folder, MODEL, create_pr=True)
    assert HfApi().model_info(MODEL).sha == before
    for revision in ("next", "refs/pr/1"):
        assert HfApi().model_info(MODEL, revision=revision).sha != before


@pytest.mark.parametrize(
    "missing", ["licence", "licence.weights", "licence.data", "weights.provenance", "training_data", "limits"]
)
def test_a_card_without_licence_or_provenance_refuses_and_creates_nothing(hub, folder, missing):
    first, _, second = missing.partition(".")
    facts = json.loads(json.dumps(FACTS))
    del (facts[first] if second else facts)[second or first]
    with pytest.raises(ValueError, match=missing):
        push(folder, MODEL, card=facts)
    assert not hub.repositories and read_json(folder / "results.json") == RESULTS
    assert yaml.safe_load((folder / "card.yaml").read_text()) == FACTS


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("card.yaml", "card facts"),
        ("model.safetensors", "no model.safetensors"),
        ("preprocessor_config.json", "no preprocessor_config.json"),
        ("config.json", "no config.json"),
    ],
)
def test_an_incomplete_folder_is_refused_by_what_it_lacks(hub, folder, file, message):
    (folder / file).unlink()
    with pytest.raises(ValueError, match=message):
        push(folder, MODEL)
    assert not hub.repositories


def test_a_link_that_leads_out_of_the_folder_is_refused(hub, folder, rows, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    copy = shutil.copytree(rows, tmp_path / "copy")
    for source, options in ((folder, {}), (copy, {"dataset": True})):
        (source / "LICENSE").symlink_to(secret)
        with pytest.raises(ValueError, match=f"LICENSE is a link to {secret}"):
            push(source, MODEL, **options)
        (source / "LICENSE").unlink()
    (folder / "config.json").rename(tmp_path / "config.json")
    (folder / "config.json").symlink_to(tmp_path / "config.json")
    with pytest.raises(ValueError, match="config.json is a link"):
        push(folder, MODEL)
    assert not hub.repositories


def test_a_shard_that_is_not_there_is_named(hub, folder):
    index = {"metadata": {}, "weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    write_json(folder / "model.safetensors.index.json", index)
    with pytest.raises(ValueError, match="model-00002-of-00002"):
        push(folder, MODEL)


def test_a_card_that_says_there_are_no_weights_does_not_publish_weights(hub, folder):
    with pytest.raises(ValueError, match="not included"):
        push(folder, MODEL, card={**FACTS, "weights": {"status": "not included", "provenance": "x", "command": "y"}})


def test_a_zero_shot_model_arrives_with_its_phrases_and_its_provenance(hub):
    source = SMALL.with_name("tmor-open")
    push(source, "tester/tmor-open")
    clip, words = motionhub.generate("sit down", seed=3), ["sit down", "wave a hand", "walk"]
    answers = [
        pipeline("zero-shot-action-classification", model=str(place))(clip, candidate_labels=words)
        for place in ("tester/tmor-open", source)
    ]
    assert answers[0] == answers[1]
    assert (
        Path(hf_hub_download("tester/tmor-open", "provenance.csv")).read_bytes()
        == (source / "provenance.csv").read_bytes()
    )


def test_the_pictures_of_a_card_are_pushed_with_it(hub, folder):
    (folder / "curve.png").write_bytes(b"a picture")
    facts = {**FACTS, "pictures": [{"file": "curve.png", "caption": "Accuracy over noise."}]}
    push(folder, MODEL, card=facts)
    assert Path(hf_hub_download(MODEL, "curve.png")).read_bytes() == b"a picture"
    assert "![Accuracy over noise.](curve.png)" in ModelCard.load(MODEL).content


@pytest.mark.parametrize("repo", ["name", "a/b/c", "", "a b/c", "../x"])
def test_a_repository_needs_an_owner_and_a_name(hub, folder, repo):
    with pytest.raises(ValueError, match="owner/name"):
        push(folder, repo)


def test_a_model_needs_its_processor(hub, model):
    with pytest.raises(ValueError, match="processor="):
        push(model, MODEL, card=FACTS)


def test_the_checkpoint_of_this_repository_can_be_pushed_as_it_is(hub):
    push(SMALL, "somebody/unik-small")
    pipe = pipeline("action-classification", model="somebody/unik-small", device="cpu")
    assert pipe.model.config.id2label[0] == "pick up with one hand"


# Datasets.


@pytest.fixture(scope="module")
def gated(nucla_folder, tmp_path_factory):
    return save_dataset("n-ucla", nucla_folder, tmp_path_factory.mktemp("rows") / "nucla")


@pytest.fixture(scope="module")
def rows(gated, tmp_path_factory):
    """As if N-UCLA were free to be passed on."""
    folder = shutil.copytree(gated, tmp_path_factory.mktemp("open") / "nucla")
    shutil.rmtree(folder / "recipe")
    return folder


def test_clips_that_may_not_be_passed_on_stay_and_their_recipe_is_pushed(hub, gated):
    with pytest.raises(ValueError, match="Push .*recipe"):
        push(gated, ROWS, dataset=True)
    assert not hub.repositories
    push(gated / "recipe", ROWS, dataset=True)
    names = HfApi().list_repo_files(ROWS, repo_type="dataset")
    assert "README.md" in names and not [name for name in names if name.endswith(".parquet")]
    assert DatasetCard.load(ROWS).data.license == "other"


def test_a_dataset_loads_by_protocol_and_streams(hub, rows):
    push(rows, ROWS, dataset=True)
    assert DatasetCard.load(ROWS).data.license == "other"
    whole = load_dataset(ROWS, "cross-subject", split="test")
    streamed = load_dataset(ROWS, "cross-subject", split="test", streaming=True)
    assert sorted(row["clip_id"] for row in streamed) == sorted(whole["clip_id"])
    assert {row["subject"] for row in whole} == {2}


def test_own_clips_are_pushed_under_the_licence_their_owner_states(hub, nucla_folder, tmp_path):
    """For a user with a folder of files per class: class folders, the command, the push."""
    for label in ("01", "02"):
        (tmp_path / "mine" / label).mkdir(parents=True)
        for path in nucla_folder.glob(f"a{label}_s*.json"):
            shutil.copy(path, tmp_path / "mine" / label)
    build = ["dataset", "build", "folder", "--raw", str(tmp_path / "mine"), "--out"]
    assert main([*build, str(tmp_path / "unsaid")]) == 0
    with pytest.raises(ValueError, match="pass --licence"):
        push(tmp_path / "unsaid", ROWS, dataset=True)
    assert not hub.repositories
    assert main([*build, str(tmp_path / "said"), "--licence", "CC-BY-4.0"]) == 0
    assert main(["push", str(tmp_path / "said"), ROWS, "--dataset"]) == 0
    assert DatasetCard.load(ROWS).data.license == "cc-by-4.0"
    rows = load_dataset(ROWS, "full", split="full")
    assert set(rows["licence"]) == {"CC-BY-4.0"} and rows.features["label"].names == ["01", "02"]


def test_pushing_a_dataset_again_leaves_no_file_of_the_first(hub, rows, tmp_path):
    push(rows, ROWS, dataset=True)
    HfApi().upload_file(
        repo_id=ROWS, repo_type="dataset", path_in_repo="data/old/clips.parquet", path_or_fileobj=b"old"
    )
    push(rows, ROWS, dataset=True)
    stored = {name for name in HfApi().list_repo_files(ROWS, repo_type="dataset") if name.endswith(".parquet")}
    assert stored == {path.relative_to(rows).as_posix() for path in rows.rglob("*.parquet")}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("license_link:", "other_link:", "license_link"),
        ("license:", "lic:", "license"),
        ("## Licence and citation", "## Afterword", "a section on the licence"),
    ],
)
def test_a_dataset_card_without_licence_or_source_refuses(hub, rows, tmp_path, old, new, message):
    copy = shutil.copytree(rows, tmp_path / "copy")
    text = (copy / "README.md").read_text(encoding="utf-8")
    assert old in text
    (copy / "README.md").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        push(copy, ROWS, dataset=True)
    assert not hub.repositories


def test_a_folder_without_card_or_clips_is_no_dataset(hub, tmp_path):
    with pytest.raises(ValueError, match="no card"):
        push(tmp_path, ROWS, dataset=True)


# Where motionhub was never imported.

FRESH = """
import sys
from transformers import AutoFeatureExtractor, AutoModel

encoder = AutoModel.from_pretrained("tester/unik-small", trust_remote_code=True)
processor = AutoFeatureExtractor.from_pretrained("tester/unik-small", trust_remote_code=True)
print(type(encoder).__name__, type(processor).__name__)
encoder.push_to_hub("tester/encoder")
processor.push_to_hub("tester/encoder")
"""


def test_by_repo_id_in_a_new_process_and_pushed_again_from_there(hub, folder, tmp_path):
    push(folder, MODEL)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    variables |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN}
    variables |= {"HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
    run = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, env=variables, timeout=180)
    assert run.stdout.split() == ["UnikModel", "SkeletonProcessor"], run.stderr[-3000:]
    references = json.loads(content("config.json", "tester/encoder"))["auto_map"]
    assert references == json.loads(content("config.json"))["auto_map"]
    assert not [reference for reference in references.values() if "--" in reference]
    code = [name for name in HfApi().list_repo_files("tester/encoder") if name.endswith(".py")]
    assert code == ["motionhub_remote.py"]


def test_a_fresh_run_is_pushed_after_one_command_that_makes_its_card(hub, folder, capsys):
    run = folder.rename(folder.with_name("last"))
    (run / "card.yaml").unlink()
    (run / "results.json").unlink()
    write_json(run / "metrics.json", {"top1": 0.5, "mean_class_accuracy": 0.25})
    assert main(["push", str(run), MODEL]) == 2
    assert f"motionhub card {run} --licence" in capsys.readouterr().err
    words = ["card", str(run), "--licence", "mit", "--data", "my clips", "--data_licence", "mine"]
    assert main(words) == 0 and main(["push", str(run), MODEL]) == 0
    card = ModelCard.load(run / "README.md")
    assert card.data.license == "mit" and "50.0" in card.text and "my clips" in card.text
    assert main(words) == 2 and "--overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0


def test_a_generated_dataset_is_pushed_as_it_was_written(hub, tmp_path):
    from motionhub.data.synthetic.dataset import save_generated

    push(save_generated(tmp_path / "made", num_clips=2), ROWS, dataset=True)
    card = Path(hf_hub_download(ROWS, "README.md", repo_type="dataset")).read_text(encoding="utf-8")
    assert "## Licence" in card and "license: cc0-1.0" in card
