"""What is pushed to a Hub comes back exactly: datasets whole and streamed, models, processors, pipelines; offline."""

import datasets.config
import numpy as np
import pytest
import torch
import transformers.utils.hub
from datasets import ClassLabel, get_dataset_config_names, load_dataset
from huggingface_hub import HfApi, HfFileSystem, ModelCard, constants, get_token, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from loopback_hub import LoopbackHub
from transformers import AutoFeatureExtractor, AutoModel, AutoProcessor, pipeline

import motionhub
from motionhub.data.build.build import build_dataset, save_dataset
from motionhub.data.datasets.datasets import DATASETS
from motionhub.pipelines.action_classification import ActionClassificationPipeline
from motionhub.pipelines.skeleton_feature_extraction import SkeletonFeatureExtractionPipeline


# Of huggingface_hub itself, when it uploads a large file.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

ROWS, MODEL = "tester/nucla", "tester/unik-small"
PROTOCOLS = ("cross-view", "cross-subject")
LABELS = ["sit down", "stand up", "throw"]


def by_id(rows):
    return {row["clip_id"]: row for row in rows}


def assert_same_rows(loaded, expected):
    """Every column of every clip, NaN included; the order does not matter."""
    loaded, expected = by_id(loaded), by_id(expected)
    assert loaded.keys() == expected.keys() and loaded
    for clip_id, row in expected.items():
        np.testing.assert_array_equal(loaded[clip_id].pop("keypoints"), row.pop("keypoints"))
        assert loaded[clip_id] == row


def assert_loads_whole_and_streamed(hub, repo, protocol, splits):
    for split, expected in splits.items():
        whole = load_dataset(repo, protocol, split=split)
        hub.requests.clear()
        stream = load_dataset(repo, protocol, split=split, streaming=True)
        streamed = list(stream)
        assert any(request.endswith(".parquet range") for request in hub.requests)
        assert whole.features == stream.features == expected.features
        assert whole.features["label"] == ClassLabel(names=list(DATASETS["n-ucla"].class_names))
        assert np.isnan(expected[0]["keypoints"]).sum() == 3
        assert_same_rows(whole, expected)
        assert_same_rows(streamed, expected)


# Datasets.


@pytest.fixture(scope="module")
def built(nucla_folder):
    return {protocol: build_dataset("n-ucla", nucla_folder, protocol) for protocol in PROTOCOLS}


def test_pushed_protocols_load_whole_and_streamed_as_the_rows_that_were_pushed(hub, built):
    for protocol, splits in built.items():
        splits.push_to_hub(ROWS, config_name=protocol, set_default=protocol == PROTOCOLS[0])
    assert sorted(get_dataset_config_names(ROWS)) == sorted(PROTOCOLS)
    for protocol, splits in built.items():
        assert_loads_whole_and_streamed(hub, ROWS, protocol, splits)
    assert {row["camera"] for row in load_dataset(ROWS, split="test")} == {3}


def test_an_uploaded_folder_of_save_dataset_loads_by_protocol_and_stores_no_clip_twice(
    hub, built, nucla_folder, tmp_path
):
    folder = save_dataset("n-ucla", nucla_folder, tmp_path / "saved")
    api = HfApi()
    api.create_repo(ROWS, repo_type="dataset")
    api.upload_folder(repo_id=ROWS, folder_path=folder, repo_type="dataset")
    stored = api.list_repo_files(ROWS, repo_type="dataset")
    assert {name for name in stored if name.endswith(".parquet")} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")
    }
    for protocol, splits in built.items():
        assert_loads_whole_and_streamed(hub, ROWS, protocol, splits)
    clips = sorted(row["clip_id"] for row in load_dataset(ROWS, "full", split="full", streaming=True))
    assert clips == sorted(path.stem for path in nucla_folder.glob("*.json"))


def test_a_streamed_row_is_the_file(hub, built, nucla_folder):
    built["cross-view"].push_to_hub(ROWS, config_name="cross-view")
    row = next(iter(load_dataset(ROWS, "cross-view", split="test", streaming=True)))
    (expected,) = motionhub.read(nucla_folder / f"{row['clip_id']}.json")
    keypoints = np.asarray(row["keypoints"], np.float32).reshape(expected.keypoints.shape)
    np.testing.assert_array_equal(keypoints, expected.keypoints)


# Models, processors, pipelines.


@pytest.fixture
def model():
    """Buffers as after training: none has its initial value."""
    config = motionhub.UnikConfig(
        layout="kinect-20", num_joints=20, in_channels=3, channels=[8, 16], strides=[1, 2], num_heads=2,
        first_block_heads=2, id2label=dict(enumerate(LABELS)),
    )  # fmt: skip
    torch.manual_seed(0)
    model = motionhub.UnikForActionClassification(config).eval()
    for number, buffer in enumerate(model.buffers()):
        buffer.copy_((buffer + 1 + number).to(buffer.dtype))
    return model


@pytest.fixture
def processor():
    return motionhub.SkeletonProcessor(layout="kinect-20", num_dims=3, num_people=2, normalization="centre")


@pytest.fixture
def clip():
    steps = np.random.default_rng(0).normal(size=(2, 9, 20, 3))
    return motionhub.SkeletonSequence(0.05 * steps.cumsum(axis=1), layout="kinect-20", fps=30.0, unit="metre")


def tensors(model):
    return dict(model.named_parameters()) | dict(model.named_buffers())


def assert_same_tensors(loaded, expected, prefix=""):
    expected = {name.removeprefix(prefix): value for name, value in tensors(expected).items() if prefix in name}
    loaded = tensors(loaded)
    assert loaded.keys() == expected.keys()
    for name, value in expected.items():
        assert loaded[name].dtype == value.dtype
        assert torch.equal(loaded[name], value), name


def local_answer(model, processor, clip):
    return ActionClassificationPipeline(model=model, feature_extractor=processor)(clip, top_k=None)


def assert_same_answers(answers, expected):
    """Scores nearly: loaded weights lie at other memory alignments, so a kernel may round otherwise."""
    for answer, wanted in zip(answers, expected, strict=True):
        assert answer.keys() == wanted.keys() and answer["track_id"] == wanted["track_id"]
        scores, expected_scores = (
            {each["label"]: each["score"] for each in one["scores"]} for one in (answer, wanted)
        )
        assert scores == pytest.approx(expected_scores, rel=1e-5, abs=1e-6)


def test_pushed_model_and_processor_come_back_exactly(hub, model, processor, clip):
    model.push_to_hub(MODEL)
    processor.push_to_hub(MODEL)
    assert_same_tensors(motionhub.AutoModelForActionClassification.from_pretrained(MODEL), model)
    assert_same_tensors(AutoModel.from_pretrained(MODEL), model, prefix="encoder.")
    for auto in (AutoFeatureExtractor, AutoProcessor):
        assert auto.from_pretrained(MODEL).to_dict() == processor.to_dict()
    pipe = pipeline("action-classification", model=MODEL, device="cpu")
    assert_same_answers(pipe(clip, top_k=None), local_answer(model, processor, clip))
    assert pipe.model.config.id2label == dict(enumerate(LABELS))


def test_features_by_repo_id_are_those_of_the_model_that_was_pushed(hub, model, processor, clip):
    model.push_to_hub(MODEL)
    processor.push_to_hub(MODEL)
    loaded = pipeline("skeleton-feature-extraction", model=MODEL, device="cpu")
    local = SkeletonFeatureExtractionPipeline(model=model.encoder, feature_extractor=processor)
    assert local(clip).shape == (2, 16)
    # Downloaded weights lie at other memory alignments, so a kernel may add up in another order.
    np.testing.assert_allclose(loaded(clip), local(clip), rtol=1e-5, atol=1e-6)


def test_a_pushed_pipeline_comes_back_from_one_commit_without_trusting_code(hub, model, processor, clip):
    local = ActionClassificationPipeline(model=model, feature_extractor=processor)
    address = local.push_to_hub(MODEL)
    commits = hub.repositories["model", MODEL].commits
    assert len(commits) == 2 and address.endswith(list(commits)[-1])
    files = HfApi().list_repo_files(MODEL)
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= set(files)
    assert [name for name in files if name.endswith(".py")] == ["motionhub_remote.py"]
    pipe = pipeline("action-classification", model=MODEL, device="cpu")
    assert type(pipe) is ActionClassificationPipeline
    assert_same_tensors(pipe.model, model)
    assert pipe(clip, top_k=None) == local(clip, top_k=None)


def test_a_pipeline_pushed_to_a_branch_or_pull_request_leaves_main_alone(hub, model, processor):
    local = ActionClassificationPipeline(model=model, feature_extractor=processor)
    local.push_to_hub(MODEL)
    before, bias = HfApi().model_info(MODEL).sha, model.classifier.bias.detach().clone()
    with torch.no_grad():
        model.classifier.bias += 1
    local.push_to_hub(MODEL, create_pr=True)
    local.push_to_hub(MODEL, revision="shifted")
    assert HfApi().model_info(MODEL).sha == before
    for revision in ("refs/pr/1", "shifted"):
        loaded = motionhub.AutoModelForActionClassification.from_pretrained(MODEL, revision=revision)
        assert torch.equal(loaded.classifier.bias, model.classifier.bias)
    on_main = motionhub.AutoModelForActionClassification.from_pretrained(MODEL)
    assert torch.equal(on_main.classifier.bias, bias)


def test_the_card_of_a_pushed_model_is_readable(hub, model):
    model.push_to_hub(MODEL, tags=["skeleton"])
    card = ModelCard.load(MODEL)
    card.validate()
    assert "skeleton" in card.data.tags


# Offline.


def test_what_was_loaded_once_loads_again_without_the_server(hub, model, processor, clip):
    ActionClassificationPipeline(model=model, feature_extractor=processor).push_to_hub(MODEL)
    expected = pipeline("action-classification", model=MODEL, device="cpu")(clip, top_k=None)
    hub.stop()
    seen = len(hub.requests)
    assert_same_tensors(
        motionhub.AutoModelForActionClassification.from_pretrained(MODEL, local_files_only=True), model
    )
    loaded = AutoFeatureExtractor.from_pretrained(MODEL, local_files_only=True)
    assert loaded.to_dict() == processor.to_dict()
    offline = pipeline("action-classification", model=MODEL, device="cpu", local_files_only=True)
    assert offline(clip, top_k=None) == expected
    assert len(hub.requests) == seen


def test_offline_mode_uses_the_cache_though_the_server_runs(hub, model, processor, clip, built, monkeypatch):
    ActionClassificationPipeline(model=model, feature_extractor=processor).push_to_hub(MODEL)
    built["cross-view"].push_to_hub(ROWS, config_name="cross-view")
    expected = pipeline("action-classification", model=MODEL, device="cpu")(clip, top_k=None)
    load_dataset(ROWS, "cross-view")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    seen = len(hub.requests)
    assert pipeline("action-classification", model=MODEL, device="cpu")(clip, top_k=None) == expected
    rows = load_dataset(ROWS, "cross-view")
    for split, pushed in built["cross-view"].items():
        assert_same_rows(rows[split], pushed)
    assert len(hub.requests) == seen


def test_offline_what_was_never_loaded_says_so(hub, model):
    model.push_to_hub(MODEL)
    hub.stop()
    with pytest.raises(OSError, match="couldn't find them in the cached files"):
        motionhub.AutoModelForActionClassification.from_pretrained(MODEL, local_files_only=True)
    with pytest.raises(LocalEntryNotFoundError):
        snapshot_download(MODEL)


# The hub of these tests itself.


def test_errors_are_the_classes_that_the_real_hub_leads_to(hub, model, monkeypatch):
    with pytest.raises(RepositoryNotFoundError):
        HfApi().model_info("tester/absent")
    model.push_to_hub(MODEL)
    with pytest.raises(RevisionNotFoundError):
        HfApi().model_info(MODEL, revision="absent")
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download(MODEL, "absent.json")
    with pytest.raises(OSError, match="tester/absent"):
        AutoModel.from_pretrained("tester/absent")
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(HfHubHTTPError, match="401"):
        HfApi().create_repo("tester/another")


def test_a_part_of_a_file_is_that_part(hub):
    content = bytes(range(256)) * 40
    HfApi().create_repo(MODEL)
    HfApi().upload_file(repo_id=MODEL, path_in_repo="folder/x.safetensors", path_or_fileobj=content)
    with HfFileSystem().open(f"{MODEL}/folder/x.safetensors", block_size=1000) as file:
        file.seek(5001)
        assert file.read(300) == content[5001:5301]
    assert hub.requests[-1].endswith("range")
    assert HfFileSystem().find(MODEL) == [f"{MODEL}/.gitattributes", f"{MODEL}/folder/x.safetensors"]


def test_a_body_too_large_is_refused(hub, monkeypatch):
    monkeypatch.setattr("loopback_hub.MAX_BODY", 1000)
    HfApi().create_repo(MODEL)
    with pytest.raises(HfHubHTTPError, match="413"):
        HfApi().upload_file(repo_id=MODEL, path_in_repo="x.json", path_or_fileobj=bytes(2000))


def libraries():
    """Everything that decides where the libraries look."""
    names = ("ENDPOINT", "HUGGINGFACE_CO_URL_TEMPLATE", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_XET", "HF_HUB_CACHE")
    rows = {name: value for name, value in vars(datasets.config).items() if name.isupper()}
    return [
        *(getattr(constants, name) for name in names), rows, get_token(), transformers.utils.hub._hf_api,
        HfApi().endpoint, HfFileSystem().endpoint,
    ]  # fmt: skip


def test_afterwards_every_library_is_as_before_and_the_port_is_closed(connected, tmp_path):
    before = libraries()
    with pytest.raises(KeyError), LoopbackHub() as server, connected(server, tmp_path):
        assert HfApi().whoami()["name"] == "tester"
        assert HfFileSystem().endpoint == server.url
        transformers.utils.hub.hf_api()
        assert libraries() != before
        raise KeyError
    assert libraries() == before
    with connected(server, tmp_path), pytest.raises(Exception, match="[Cc]onnect"):
        HfApi().whoami()
