"""`pipeline("action-classification")`: every kind of input, the answer per person, batches, bad input."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from datasets import Dataset
from small_checkpoints import LABELS, PROBABILITIES, motion, save, save_constant, small_config, small_processor
from transformers import AutoConfig, pipeline

import motionhub
from motionhub.data.formats.schema import features
from motionhub.pipelines import skeleton_pipeline
from motionhub.skeletons.rows import to_row
from motionhub.training.evaluators import evaluate_streams


@pytest.fixture(scope="module")
def pipe(checkpoint):
    return pipeline("action-classification", model=checkpoint, device="cpu")


@pytest.fixture(scope="module")
def constant(constant_checkpoint):
    return pipeline("action-classification", model=constant_checkpoint, device="cpu")


def flat(results) -> np.ndarray:
    """All scores of all people of all clips, in label order."""
    people = [person for clip in results for person in clip]
    return np.array(
        [[{s["label"]: s["score"] for s in person["scores"]}[name] for name in LABELS] for person in people]
    )


def test_scores_are_the_model_s_probabilities_best_first(constant):
    (person,) = constant(motion(9))
    assert person["track_id"] == 0
    assert [score["label"] for score in person["scores"]] == LABELS
    np.testing.assert_allclose([score["score"] for score in person["scores"]], PROBABILITIES, atol=1e-6)


def test_scores_are_those_of_model_and_processor_called_by_hand(pipe, checkpoint):
    clip = motion(9)
    model = motionhub.AutoModelForActionClassification.from_pretrained(checkpoint)
    with torch.no_grad():
        expected = model(**small_processor()(clip)).logits.softmax(-1).numpy()
    np.testing.assert_allclose(flat([pipe(clip, top_k=None)]), expected, atol=1e-6)


def test_path_sequence_array_tensor_and_row_of_one_clip_give_one_answer(pipe, nucla_file):
    from motionhub.skeletons.rows import to_row

    (clip,) = motionhub.read(nucla_file)
    facts = {"layout": "kinect-20", "fps": clip.fps, "unit": "metre"}
    expected = pipe(clip)
    assert pipe(str(nucla_file)) == pipe(nucla_file) == expected
    assert pipe(clip.keypoints, **facts) == pipe(clip.keypoints[0], **facts) == expected
    assert pipe(torch.from_numpy(clip.keypoints), **facts) == expected
    assert pipe(to_row(clip)) == expected


def test_list_generator_and_dataset_give_one_result_each_in_order(pipe):
    from datasets import Dataset

    from motionhub.data.formats.schema import features
    from motionhub.skeletons.rows import to_row

    clips = [motion(frames, seed=frames) for frames in (5, 9, 7)]
    expected = [pipe(clip) for clip in clips]
    assert pipe(clips) == pipe(tuple(clips)) == expected
    assert list(pipe(clip for clip in clips)) == expected
    rows = Dataset.from_list([to_row(clip) for clip in clips], features=features(None))
    assert list(pipe(rows)) == expected
    assert pipe([]) == []


def test_generator_is_read_only_as_far_as_asked(pipe):
    def clips():
        yield motion(5)
        raise RuntimeError("the second clip was read")

    assert len(next(iter(pipe(clips())))) == 1


def test_ragged_batch_equals_one_by_one(pipe):
    clips = [motion(1), motion(40, people=2, seed=1), motion(13, people=3, seed=2)]
    together, alone = pipe(clips, batch_size=3, top_k=None), [pipe(clip, top_k=None) for clip in clips]
    assert [len(clip) for clip in together] == [1, 2, 3]
    np.testing.assert_allclose(flat(together), flat(alone), atol=1e-6)


def test_official_pooling_does_not_see_the_batch_either(tmp_path):
    pipe = pipeline("action-classification", model=save(tmp_path, small_config(pooling="official")), device="cpu")
    clips = [motion(8), motion(40, seed=1)]
    np.testing.assert_allclose(flat(pipe(clips, batch_size=2)), flat([pipe(clip) for clip in clips]), atol=1e-7)


def test_each_person_is_judged_alone_and_keeps_its_track(pipe):
    clip = motion(11, people=2, track_ids=(7, 3))
    first, second = pipe(clip)
    assert (first["track_id"], second["track_id"]) == (7, 3)
    np.testing.assert_allclose(flat([pipe(clip.person(0))]), flat([[first]]), atol=1e-6)
    np.testing.assert_allclose(flat([pipe(clip.person(1))]), flat([[second]]), atol=1e-6)
    assert abs(flat([[first]]) - flat([[second]])).max() > 1e-4


def test_whole_clip_gives_one_answer_of_all_people(pipe, checkpoint):
    clip = motion(11, people=2)
    (answer,) = pipe(clip, per_person=False, top_k=None)
    assert answer["track_id"] is None
    model = motionhub.AutoModelForActionClassification.from_pretrained(checkpoint)
    with torch.no_grad():
        expected = model(**small_processor()(clip)).logits.softmax(-1).numpy()
    np.testing.assert_allclose(flat([[answer]]), expected, atol=1e-6)


def test_coverage_is_the_share_of_joints_seen(constant):
    clip = motion(10)
    keypoints = clip.keypoints.copy()
    keypoints[:, :, 15:] = np.nan  # 5 of 20 joints
    (person,) = constant(clip.replace(keypoints=keypoints))
    assert person["coverage"] == pytest.approx(0.75)


@pytest.mark.parametrize(
    "empty",
    [
        np.zeros((0, 5, 20, 3), dtype=np.float32),
        np.full((2, 5, 20, 3), np.nan, dtype=np.float32),
        np.zeros((1, 0, 20, 3), dtype=np.float32),
    ],
    ids=["no person", "all missing", "no frames"],
)
def test_nothing_seen_gives_an_empty_result_and_a_warning_that_names_it(pipe, empty):
    with pytest.warns(UserWarning, match=f"kinect-20 sequence .people {empty.shape[0]},"):
        assert pipe(empty, layout="kinect-20", fps=30, unit="metre") == []
    with pytest.warns(UserWarning):
        results = pipe([motion(5), motion(5).replace(keypoints=np.full((1, 5, 20, 3), np.nan))], batch_size=2)
    assert [len(clip) for clip in results] == [1, 0]


def test_a_person_never_seen_is_left_out_and_the_others_stay(pipe):
    clip = motion(6, people=2, track_ids=(4, 9))
    keypoints = clip.keypoints.copy()
    keypoints[0] = np.nan
    (person,) = pipe(clip.replace(keypoints=keypoints))
    assert person["track_id"] == 9


def test_top_k_cuts_the_list(constant):
    assert [score["label"] for score in constant(motion(5), top_k=2)[0]["scores"]] == LABELS[:2]
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="top_k"):
            constant(motion(5), top_k=wrong)


def test_streams_fuse_by_logits_or_by_probabilities(constant, tmp_path):
    other = pipeline(
        "action-classification", model=save_constant(tmp_path, [0.1, 0.2, 0.7], stream="bone"), device="cpu"
    )
    clips = [motion(5), motion(8, people=2, seed=1)]
    by_logits = flat(constant(clips, second=other, batch_size=2))
    product = np.array([0.07, 0.04, 0.07]) / 0.18
    np.testing.assert_allclose(by_logits, np.tile(product, (3, 1)), atol=1e-6)
    by_probability = flat(constant(clips, second=other, fusion="softmax"))
    np.testing.assert_allclose(by_probability, np.tile([0.4, 0.2, 0.4], (3, 1)), atol=1e-6)
    with pytest.raises(ValueError, match="fusion"):
        constant(clips, second=other, fusion="max")
    weighed = flat(constant(clips, second=other, second_weight=3))
    cubed = np.array([0.7, 0.2, 0.1]) * np.array([0.1, 0.2, 0.7]) ** 3
    np.testing.assert_allclose(weighed, np.tile(cubed / cubed.sum(), (3, 1)), atol=1e-6)
    weighed = flat(constant(clips, second=other, fusion="softmax", second_weight=3))
    np.testing.assert_allclose(weighed, np.tile([0.25, 0.2, 0.55], (3, 1)), atol=1e-6)
    np.testing.assert_allclose(flat(constant(clips, second=other, second_weight=0)), flat(constant(clips)), atol=1e-6)
    for wrong in (-1, float("nan"), "1", True):
        with pytest.raises(ValueError, match="second_weight"):
            constant(clips, second=other, second_weight=wrong)


@pytest.mark.parametrize("family", ["Unik", "Agcn", "StGcn"])
def test_joints_and_bones_of_each_family_fuse_alike_in_pipeline_and_evaluation(family, tmp_path):
    sizes = {"layout": "kinect-20", "num_joints": 20, "in_channels": 3, "channels": [8, 16], "strides": [1, 2]}
    config = getattr(motionhub, f"{family}Config")(**sizes, id2label=dict(enumerate(LABELS)))
    streams = []
    for seed, stream in enumerate(("joint", "bone")):
        torch.manual_seed(seed)
        model = getattr(motionhub, f"{family}ForActionClassification")(config).eval()
        torch.nn.init.normal_(model.classifier.weight)
        torch.nn.init.normal_(model.classifier.bias)  # features of an untrained ST-GCN are nearly nothing
        streams.append((model, small_processor(stream=stream)))
    clips = [motion(5), motion(8, seed=1)]
    with torch.no_grad():
        logits = sum(torch.cat([model(**processor(clip)).logits for clip in clips]) for model, processor in streams)
    rows = [to_row(clip, label=0, clip_id=str(number)) for number, clip in enumerate(clips)]
    evaluate_streams(streams, Dataset.from_list(rows, features=features(LABELS)), output_dir=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "scores.npz")["logits"], logits, atol=1e-4)
    joint, bone = (pipeline("action-classification", model=each, feature_extractor=its) for each, its in streams)
    np.testing.assert_allclose(flat(joint(clips, second=bone)), logits.softmax(-1), atol=1e-5)
    assert np.abs(flat(joint(clips)) - flat(bone(clips))).max() > 0.01  # two streams, not one twice


def test_streams_with_other_labels_are_refused(constant, tmp_path):
    config = small_config(id2label=dict(enumerate(reversed(LABELS))))
    other = pipeline("action-classification", model=save(tmp_path, config), device="cpu")
    with pytest.raises(ValueError, match="same order"):
        constant(motion(5), second=other)


def test_one_frame_and_ten_thousand_frames(pipe):
    assert [len(clip) for clip in pipe([motion(1), motion(10_000)], batch_size=2)] == [1, 1]


ROD = motionhub.SkeletonLayout("rod", ("tip", "end"), (), "end")


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [((5, 20, 2), "kinect-20", "3-D"), ((5, 2, 3), ROD, "rod")],
    ids=["dims", "layout"],
)
def test_a_clip_the_model_cannot_take_is_refused_with_what_it_is(pipe, shape, layout, expected):
    with pytest.raises(ValueError, match=expected):
        pipe(np.ones(shape), layout=layout, fps=30, unit="metre")


def test_half_precision_gives_nearly_the_same_scores(pipe, checkpoint):
    half = pipeline("action-classification", model=checkpoint, device="cpu", dtype=torch.bfloat16)
    np.testing.assert_allclose(flat([half(motion(9))]), flat([pipe(motion(9))]), atol=0.02)


@pytest.mark.parametrize("computes", [True, False])
def test_weights_saved_in_bfloat16_stay_so_only_where_the_processor_computes_it(
    checkpoint, tmp_path, monkeypatch, recwarn, computes
):
    monkeypatch.setattr(skeleton_pipeline, "bf16_support", lambda device: (computes, "a made-up processor"))
    saved = pipeline("action-classification", model=checkpoint, device="cpu", dtype=torch.bfloat16)
    assert saved.model.dtype is torch.bfloat16  # what is stated is not changed
    saved.save_pretrained(tmp_path)
    loaded = pipeline("action-classification", model=str(tmp_path), device="cpu")
    assert loaded.model.dtype is (torch.bfloat16 if computes else torch.float32)
    said = [str(warning.message) for warning in recwarn if "bfloat16" in str(warning.message)]
    assert len(said) == (not computes) and all("dtype=torch.bfloat16" in text for text in said)


def test_pushing_is_one_commit_of_model_and_processor(pipe, monkeypatch):
    from huggingface_hub import HfApi

    commits = []

    def upload(self, *, repo_id, folder_path, **kwargs):
        commits.append((repo_id, sorted(path.name for path in Path(folder_path).iterdir()), kwargs["create_pr"]))
        return SimpleNamespace(commit_url="https://hub/commit/1")

    monkeypatch.setattr(HfApi, "create_repo", lambda self, repo_id, **kwargs: SimpleNamespace(repo_id=f"me/{repo_id}"))
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    assert pipe.push_to_hub("unik", create_pr=True) == "https://hub/commit/1"
    files = ["config.json", "model.safetensors", "motionhub_remote.py", "preprocessor_config.json"]
    assert commits == [("me/unik", files, True)]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (np.zeros((5, 20, 3)), "layout"),
        ("absent.json", "absent.json"),
        (3.5, "float"),
    ],
)
def test_bad_input_says_what_to_pass(pipe, item, message):
    with pytest.raises(ValueError, match=message):
        pipe(item)


def test_a_misspelt_argument_is_an_error(pipe):
    with pytest.raises(ValueError, match="topk"):
        pipe(motion(5), topk=2)


def test_saved_pipeline_loads_again_and_holds_no_code_but_the_shim(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    assert not hasattr(AutoConfig.from_pretrained(tmp_path), "custom_pipelines")
    assert [path.name for path in tmp_path.glob("*.py")] == ["motionhub_remote.py"]
    again = pipeline("action-classification", model=str(tmp_path), device="cpu")
    assert again(motion(5)) == pipe(motion(5))


def test_model_and_processor_may_be_given_as_objects(pipe, checkpoint):
    model = motionhub.AutoModelForActionClassification.from_pretrained(checkpoint)
    made = pipeline("action-classification", model=model, processor=small_processor(), device="cpu")
    assert made(motion(5)) == pipe(motion(5))
    with pytest.raises(ValueError, match="needs a processor"):
        pipeline("action-classification", model=model, device="cpu")


def test_of_many_inputs_the_error_names_the_one_that_does_not_fit(pipe) -> None:
    planar = motion(5).replace(keypoints=motion(5).keypoints[..., :2])
    with pytest.raises(ValueError, match=r"a kinect-20 sequence \(people 1, frames 5\): .*3-D"):
        pipe([motion(7), planar])


def test_coordinates_beyond_all_measure_are_an_error_not_a_nan_score(pipe) -> None:
    clip = motion(6)
    with pytest.warns(UserWarning, match="a body measures inf"), pytest.raises(ValueError, match="not finite.*metres"):
        pipe(clip.replace(keypoints=clip.keypoints * 1e37))


def test_zeros_of_a_pose_estimator_give_a_warning(pipe) -> None:
    keypoints = motion(8).keypoints.copy()
    keypoints[:, :, 4] = 0
    with pytest.warns(UserWarning, match="5.0% of the joints lie at exactly zero"):
        pipe(keypoints, layout="kinect-20", fps=30, unit="metre")


def test_a_broken_processor_file_is_quoted(checkpoint, tmp_path) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "broken")
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text().replace('"kinect-20"', '"kinnect-20"'))
    with pytest.raises(ValueError, match="needs a processor.*Did you mean 'kinect-20'"):
        pipeline("action-classification", model=str(folder))
