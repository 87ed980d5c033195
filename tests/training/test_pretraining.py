"""Pre-training: exact resume of every memory, processes that agree, only the encoder exported, the probe."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toy_pretraining
import transformers
from forked import in_processes
from helpers import read_json
from toy_pretraining import EveryMemory, memory, pose_encoder, pretrain, unlabelled
from toy_training import toy_dataset, toy_processor, toy_recipe

import motionhub
from motionhub.models.agcn import AgcnConfig, AgcnModel
from motionhub.models.unik import UnikConfig, UnikModel
from motionhub.objectives.or_vpe import OrVpe
from motionhub.skeletons.layouts import get_layout
from motionhub.training.dataset import ClipDataset, Views, seeds_of_entries
from motionhub.training.evaluators import EmbeddingProbe, probed_by_labels
from motionhub.training.start import prepare_model
from motionhub.training.trainer import train


SCRIPT = Path(__file__).with_name("toy_pretraining.py")
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": str(torch.get_num_threads()),
    "MKL_NUM_THREADS": str(torch.get_num_threads()),
}


def assert_same(one: dict[str, np.ndarray], other: Any, tolerance: float = 0.0) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=tolerance, err_msg=name)


def test_killed_in_the_third_epoch_and_resumed_equals_four_epochs_bit_for_bit(tmp_path: Path) -> None:
    model, objective, _ = pretrain(toy_recipe(tmp_path / "whole", epochs=4, milestones=[3]), dropout=0.3)
    whole = memory(model, objective)
    recipe = toy_recipe(tmp_path / "cut", epochs=4, milestones=[3], checkpoint_updates=2)
    order = {"recipe": asdict(recipe), "kill": [14, 0], "dropout": 0.3, "report": str(tmp_path)}
    killed = subprocess.run([sys.executable, SCRIPT, json.dumps(order)], env=ENVIRONMENT, check=False)
    assert killed.returncode == -signal.SIGKILL
    progress = read_json(tmp_path / "cut" / "last" / "state" / "progress.json")["progress"]
    assert (progress["epoch"], progress["epoch_updates"]) == (2, 2)
    model, objective, result = pretrain(recipe, dropout=0.3)
    assert result.steps == 20
    resumed = memory(model, objective)
    assert {"queue.features", "queue.rows", "queue.position", "bank.vectors", "slow.network.head.weight"} <= set(
        resumed
    )
    assert_same(whole, resumed)
    assert int(resumed["queue.position"]) == 20 * 8 % 19


@pytest.mark.slow
def test_two_processes_equal_one_with_the_same_queue_and_bank_in_both(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "two", epochs=2, num_processes=2)
    order = {"recipe": asdict(recipe), "report": str(tmp_path)}
    ended = in_processes(lambda _: toy_pretraining.main(order))
    assert [process.status for process in ended] == [0, 0], ended
    model, objective, _ = pretrain(toy_recipe(tmp_path / "one", epochs=2))
    alone = memory(model, objective)
    with np.load(tmp_path / "rank0.npz") as first, np.load(tmp_path / "rank1.npz") as second:
        assert_same(dict(first), dict(second))
        assert_same(alone, dict(first), tolerance=2e-6)


@pytest.mark.slow
def test_a_killed_process_ends_the_run_with_a_message_that_says_how_to_go_on(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", epochs=1000, num_processes=2)
    order = {"recipe": asdict(recipe), "report": str(tmp_path), "kill": [12, 1]}
    ended = in_processes(lambda _: toy_pretraining.main(order))
    assert [process.status for process in ended] == [2, None]
    (line,) = ended[0].lines
    assert "could not reach another process of this run" in line
    assert f"last checkpoint is in {tmp_path / 'run' / 'last'}" in line
    model, objective, result = pretrain(toy_recipe(tmp_path / "one", epochs=1))
    assert result.steps == 5


def test_accumulation_changes_neither_bank_nor_weights(tmp_path: Path) -> None:
    found = []
    for steps in (1, 4):
        model, objective = pose_encoder(), OrVpe(get_layout("penn-13"), embedding_size=4, num_negatives=7)
        recipe = toy_recipe(tmp_path / str(steps), gradient_accumulation_steps=steps)
        train(model, toy_processor(), unlabelled(20), None, recipe, objective=objective)
        found.append(memory(model, objective))
    assert_same(*found, tolerance=2e-6)


def test_the_optimizer_is_held_while_the_queue_fills(tmp_path: Path) -> None:
    before = pose_encoder().layer.weight.detach().clone()
    model, objective, _ = pretrain(toy_recipe(tmp_path / "two", epochs=1, batch_size=20), hold=True)
    assert objective.queue.is_full  # after the first of two updates
    assert not torch.equal(model.layer.weight, before)
    model, objective, result = pretrain(
        toy_recipe(tmp_path / "none", epochs=1, batch_size=8), hold=True, data=unlabelled(16)
    )
    assert result.steps == 2
    assert not objective.queue.is_full
    assert torch.equal(model.layer.weight, before)


def test_a_changed_objective_or_other_clips_are_not_resumed(tmp_path: Path) -> None:
    pretrain(toy_recipe(tmp_path, epochs=1))
    with pytest.raises(ValueError, match="objective.hold was False, is now True"):
        pretrain(toy_recipe(tmp_path, epochs=2), hold=True)
    others = unlabelled(40).map(lambda row: {"clip_id": "x" + row["clip_id"]})
    with pytest.raises(ValueError, match="training clips and labels differ"):
        pretrain(toy_recipe(tmp_path, epochs=2), data=others)
    state = torch.load(tmp_path / "last" / "state" / "custom_checkpoint_0.pkl")
    objective = EveryMemory()
    objective.prepare(
        pose_encoder(), type("Run", (), {"num_clips": 40, "fingerprint": "x", "epochs": 1, "updates_per_epoch": 5})
    )
    with pytest.raises(ValueError, match="belongs to another dataset"):
        objective.load_state_dict(state)


def test_two_views_of_a_clip_differ_and_repeat(tmp_path: Path) -> None:
    views = Views(ClipDataset(toy_dataset(4), toy_processor(), training=True, seed=3), 2)
    first, second = views[1]
    assert not torch.equal(first["keypoints"], second["keypoints"])
    again = views[1]
    assert all(
        torch.equal(one["keypoints"], other["keypoints"]) for one, other in zip((first, second), again, strict=True)
    )
    views.set_epoch(1)
    assert not any(torch.equal(views[1][0]["keypoints"], view["keypoints"]) for view in (first, second))


def test_seeds_belong_to_seed_epoch_row_and_view() -> None:
    rows = torch.tensor([4, 0, 4, 0])
    seeds = seeds_of_entries(1, 2, rows, 2)
    assert len(set(seeds.tolist())) == 4
    assert torch.equal(seeds_of_entries(1, 2, rows[[1, 3]], 2), seeds[[1, 3]])  # however the clips are shared out
    assert not set(seeds.tolist()) & set(seeds_of_entries(1, 3, rows, 2).tolist())
    # and another stream than the processor's of the same clip
    from motionhub.training.dataset import item_seed

    assert item_seed(1, 2, 4) not in seeds.tolist()


SIZES = {"layout": "penn-13", "num_joints": 13, "in_channels": 2, "num_people": 1}
BLOCKS = {"channels": [8, 256], "strides": [1, 2], "dilations": [1, 1]}


@pytest.mark.parametrize("family", [(UnikConfig, UnikModel), (AgcnConfig, AgcnModel)], ids=["unik", "agcn"])
def test_only_the_encoder_is_exported_and_a_linear_head_has_257_weights_a_class(family: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, held_out = family[1](family[0](**SIZES, **BLOCKS)), toy_dataset(12, seed=9)
    objective = OrVpe(get_layout("penn-13"), num_negatives=16)
    probe = EmbeddingProbe(toy_dataset(9, seed=5), toy_processor())
    recipe = toy_recipe(tmp_path / "pretext", epochs=2)
    result = train(
        model,
        toy_processor(),
        unlabelled(24),
        held_out,
        recipe,
        objective=objective,
        evaluation=probe,
        primary_metric="probe_top1",
    )
    assert len(result.history) == 2
    assert {"probe_top1", "effective_rank", "num_clips"} <= set(result.history[0])
    logged = [json.loads(line) for line in (tmp_path / "pretext" / "log.jsonl").read_text().splitlines()]
    assert all(-8 <= line["uniformity"] <= 0 <= line["alignment"] <= 4 for line in logged if line["kind"] == "train")
    loaded = transformers.AutoModel.from_pretrained(result.last_dir)
    assert type(loaded) is family[1]
    assert_same({name: value.numpy() for name, value in model.state_dict().items()}, loaded.state_dict())

    classifier, processor = prepare_model(
        result.last_dir, held_out, motionhub.AutoModelForActionClassification, mode="linear"
    )
    frozen = {name: value.clone() for name, value in classifier.state_dict().items()}
    train(classifier, processor, held_out, None, toy_recipe(tmp_path / "linear", mode="linear", epochs=1))
    learned = [weight for weight in classifier.parameters() if weight.requires_grad]
    assert sum(weight.numel() for weight in learned) == 257 * 3
    changed = {name for name, value in classifier.state_dict().items() if not torch.equal(value, frozen[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize("collapsed", [False, True])
def test_the_probe_knows_what_is_separable_and_warns_of_a_collapse(
    collapsed: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = pose_encoder()
    if collapsed:  # every clip becomes nearly the same point
        torch.nn.init.constant_(model.layer.bias, 0.5)
        torch.nn.init.constant_(model.layer.weight, 1e-4)
    result = train(
        model,
        toy_processor(),
        unlabelled(40),
        toy_dataset(12, seed=9),
        toy_recipe(tmp_path, epochs=1, milestones=[], learning_rate=1e-9),
        objective=EveryMemory(),
        evaluation=EmbeddingProbe(toy_dataset(9, seed=5), toy_processor()),
        primary_metric="probe_top1",
    )
    if not collapsed:
        assert result.last_metrics["probe_top1"] == 1.0
    assert ("the encoder is collapsing" in capsys.readouterr().err) == collapsed
    assert (result.last_metrics["spread"] < 1e-3) == collapsed


def test_a_share_of_the_labels_is_probed_or_none() -> None:
    clips, held_out = toy_dataset(12), toy_dataset(6)
    assert probed_by_labels(unlabelled(12), held_out, toy_processor(), fraction=0, seed=1) == {"eval_dataset": None}
    probed = probed_by_labels(clips, held_out, toy_processor(), fraction=0.5, seed=1)
    labels, drawn = np.array(clips["label"]), probed["evaluation"].clips.labels
    assert np.bincount(drawn).tolist() == (np.bincount(labels) // 2).tolist() and probed["eval_dataset"] is held_out
    with pytest.raises(ValueError, match=r"fraction must be in \(0, 1\]"):
        probed_by_labels(clips, held_out, toy_processor(), fraction=1.5, seed=1)
    with pytest.raises(ValueError, match="'label'"):
        probed_by_labels(unlabelled(12), held_out, toy_processor(), fraction=1, seed=1)


def test_what_pre_training_cannot_do_is_said(tmp_path: Path) -> None:
    recipe, objective = toy_recipe(tmp_path), EveryMemory()
    clips = unlabelled(16)
    with pytest.raises(ValueError, match="EmbeddingProbe"):
        train(pose_encoder(), toy_processor(), clips, toy_dataset(6), recipe, objective=objective)
    with pytest.raises(ValueError, match="labelled clips, but 16 of 16 have none"):
        EmbeddingProbe(clips, toy_processor())
    with pytest.raises(ValueError, match="column 'label'"):
        train(pose_encoder(), toy_processor(), clips, None, recipe)
    with pytest.raises(ValueError, match="holds no clips"):
        train(pose_encoder(), toy_processor(), clips.select([]), None, recipe, objective=objective)
