"""An index in the common space of motions and texts is searched by words, by the checkpoint's bank alone."""

import numpy as np
import pytest
import torch
from helpers import run_cli

import motionhub
from motionhub.data.synthetic.generate import generate
from motionhub.models.t_mor import TMorConfig, TMorModel
from motionhub.retrieval.by_text import check_text_index, text_query, text_space_embedder
from motionhub.towers.text_bank import TextBank


TOWER = {"kind": "sentence-transformers", "name": "nobody/nothing", "dim": 6}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Three motions, and a model whose text projection maps the bank's phrases onto these very motions."""
    from transformers import pipeline

    root = tmp_path_factory.mktemp("by-text")
    names = ("sit down", "wave", "walk around")
    (root / "clips").mkdir()
    for name in names:
        motionhub.write(generate(name, seed=1), root / "clips" / f"{name.replace(' ', '-')}.npz")
    torch.manual_seed(0)
    encoder = {"model_type": "motionhub_unik", "num_joints": 20, "in_channels": 3, "num_people": 1}
    encoder |= {"channels": [8], "strides": [1], "dilations": [1]}
    sizes = {"text_size": 6, "projection_size": 6, "motion_projection_layers": 1, "text_projection_layers": 1}
    model = TMorModel(TMorConfig(encoder_config=encoder, text_tower=TOWER, **sizes)).eval()
    processor = motionhub.SkeletonProcessor(layout="kinect-20", num_dims=3, num_people=1, normalization="centre")
    pipe = pipeline("skeleton-feature-extraction", model=model, feature_extractor=processor)
    embed = text_space_embedder(pipe)
    motions = torch.as_tensor(np.concatenate([embed(generate(name, seed=1)) for name in names]))
    linear = model.text_projection.layers[0] if hasattr(model.text_projection, "layers") else None
    linear = linear or next(
        module for module in model.text_projection.modules() if isinstance(module, torch.nn.Linear)
    )
    with torch.no_grad():  # the text number k is the unit vector k, which becomes the motion number k
        linear.weight.zero_()
        linear.bias.zero_()
        linear.weight[:, :3] = motions.T
    model.save_pretrained(root / "model")
    processor.save_pretrained(root / "model")
    phrases = ["sit down", "wave a hand", "walk around"]
    aliases = {"sits down": "sit down"}
    TextBank(phrases, torch.eye(6)[:3], TOWER, torch.eye(6)[5], aliases=aliases).save_pretrained(root / "model")
    return root, embed, model


def test_words_find_the_motion_they_mean(world, capsys):
    root, _, _ = world
    options = ["--model", root / "model", "--representation", "text"]
    assert run_cli("index", root / "clips", "-o", root / "index", *options) == 0
    assert "3 clips of 3 files, 6 numbers each" in capsys.readouterr().out
    for text, file in [("someone sits down", "sit-down"), ("Wave a hand", "wave"), ("a person walk around", "walk")]:
        assert run_cli("search", root / "index", "--text", text, "--top_k", "1") == 0
        found = capsys.readouterr().out
        assert file in found and found.split()[0] == "1.000"


def test_a_motion_finds_motions_in_the_same_index(world, capsys):
    root, _, _ = world
    run_cli("index", root / "clips", "-o", root / "index", "--model", root / "model", "--representation", "text")
    assert run_cli("search", root / "index", root / "clips" / "wave.npz") == 0
    assert "wave.npz" not in capsys.readouterr().out.split("numbers each")[1]


def test_unknown_words_without_the_tower_name_the_line_that_gets_it(world, capsys):
    root, _, _ = world
    run_cli("index", root / "clips", "-o", root / "index", "--model", root / "model", "--representation", "text")
    capsys.readouterr()
    assert run_cli("search", root / "index", "--text", "fly to the moon") == 2
    error = capsys.readouterr().err
    assert "lacks 'fly to the moon'" in error and "hf download nobody/nothing" in error


def test_blank_words_are_refused(world, capsys):
    root, _, _ = world
    run_cli("index", root / "clips", "-o", root / "index", "--model", root / "model", "--representation", "text")
    assert run_cli("search", root / "index", "--text", " ") == 2
    assert "something in them" in capsys.readouterr().err


def test_an_index_of_another_space_is_refused():
    with pytest.raises(ValueError, match="cannot be searched by text"):
        check_text_index({"model": "x", "representation": None})
    with pytest.raises(ValueError, match="has no text space"):
        text_query(motionhub.UnikModel(motionhub.UnikConfig(channels=[8])), torch.zeros(6))


def test_no_person_has_no_vector(world):
    _, embed, _ = world
    clip = generate("wave", seed=1)
    empty = clip.replace(keypoints=np.full_like(clip.keypoints, np.nan))
    with pytest.warns(UserWarning):
        assert np.isnan(embed(empty)).all()


def test_frames_cannot_be_indexed_for_texts(world, capsys):
    root, _, _ = world
    options = ["--model", root / "model", "--representation", "text", "--level", "frame"]
    assert run_cli("index", root / "clips", "-o", root / "frames", *options) == 2
    assert "not frames" in capsys.readouterr().err
