"""The loop: equal results however it is interrupted or shared out, and clear outcomes when something goes wrong."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import toy_training
from forked import in_processes
from helpers import read_json, write_json
from toy_training import (
    SignalAt,
    ToyForClassification,
    toy_dataset,
    toy_model,
    toy_processor,
    toy_recipe,
    toy_run,
    weights,
)

from motionhub.metrics.segmentation import frame_average_precision
from motionhub.models.unik import UnikConfig, UnikForActionClassification, UnikForActionSegmentation
from motionhub.nn import precision
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.training import checkpoints
from motionhub.training.arguments import MACHINE_FIELDS
from motionhub.training.dataset import ClipDataset
from motionhub.training.processes import clips_per_update
from motionhub.training.trainer import train


SCRIPT = Path(__file__).with_name("toy_training.py")
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": str(torch.get_num_threads()),
    "MKL_NUM_THREADS": str(torch.get_num_threads()),
}


def assert_same_weights(one: dict[str, np.ndarray], other: dict[str, np.ndarray], tolerance: float = 0.0) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=tolerance, err_msg=name)


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [record for record in records if record["kind"] == kind]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """An uninterrupted run with dropout, augmentation and a checkpoint every second update."""
    folder = tmp_path_factory.mktemp("whole")
    model, _ = toy_run(toy_recipe(folder, checkpoint_updates=2), dropout=0.3)
    return folder, weights(model)


def test_separable_classes_are_learned_and_the_folders_load(tmp_path: Path) -> None:
    model, result = toy_run(toy_recipe(tmp_path, epochs=6, milestones=[5]))
    assert result.last_metrics["top1"] == 1.0
    assert result.last_metrics["num_clips"] == 13
    assert result.steps == 6 * 5
    loaded = ToyForClassification.from_pretrained(tmp_path / "last")
    assert_same_weights(weights(loaded), weights(model))
    assert SkeletonProcessor.from_pretrained(tmp_path / "best").to_dict() == toy_processor().to_dict()
    best = read_json(tmp_path / "best" / "metrics.json")
    assert best["top1"] == result.best_metric == max(entry["top1"] for entry in result.history)
    assert best["epoch"] == result.best_epoch
    assert not list(tmp_path.glob(".*"))


def test_log_has_the_loss_and_the_stepped_learning_rate(whole_run: tuple[Path, Any]) -> None:
    folder, _ = whole_run
    train_lines, eval_lines = lines(folder, "train"), lines(folder, "eval")
    assert [line["step"] for line in train_lines] == [2, 4, 5, 6, 8, 10, 12, 14, 15]
    expected = [0.1 if line["epoch"] < 2 else 0.01 for line in train_lines]
    np.testing.assert_allclose([line["learning_rate"] for line in train_lines], expected)
    assert all(line["clips_per_second"] > 0 and line["loss"] > 0 for line in train_lines)
    assert [line["step"] for line in eval_lines] == [5, 10, 15]


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path, whole_run: tuple[Path, Any]) -> None:
    recipe = toy_recipe(tmp_path, checkpoint_updates=2)
    order = {"recipe": asdict(recipe), "kill_at": 9, "dropout": 0.3, "report": str(tmp_path)}
    killed = subprocess.run([sys.executable, SCRIPT, json.dumps(order)], env=ENVIRONMENT, check=False)
    assert killed.returncode == -signal.SIGKILL
    progress = read_json(tmp_path / "last" / "state" / "progress.json")["progress"]
    assert (progress["epoch"], progress["epoch_updates"], progress["step"]) == (1, 3, 8)  # in the middle of an epoch
    model, result = toy_run(recipe, dropout=0.3)
    assert_same_weights(weights(model), whole_run[1])
    assert [entry["epoch"] for entry in result.history] == [0, 1, 2]
    assert [line["step"] for line in lines(tmp_path, "eval")] == [5, 10, 15]


def test_interrupt_saves_says_how_to_resume_and_resumes_exactly(
    tmp_path: Path, whole_run: tuple[Path, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = toy_recipe(tmp_path)
    handler = signal.getsignal(signal.SIGINT)
    for update in (7, 3):  # in the middle of an epoch, then (the 10th altogether) in the last update of one
        with pytest.raises(KeyboardInterrupt, match="resume="):
            toy_run(recipe, dropout=0.3, objective=SignalAt(update, signal.SIGINT))
        assert "resumes from there" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is handler
    model, result = toy_run(recipe, dropout=0.3)
    assert_same_weights(weights(model), whole_run[1])
    assert result.steps == 15


def test_output_folder_that_cannot_be_is_said_before_the_first_update(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="output_dir .*file.* cannot be written .*another folder"):
        toy_run(toy_recipe(tmp_path / "file", epochs=1))
    assert (tmp_path / "file").read_text() == "mine"


def test_finished_run_is_not_repeated(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path, epochs=1)
    first, before = toy_run(recipe)
    again, after = toy_run(recipe)
    assert_same_weights(weights(again), weights(first))
    assert after == before


def test_accumulation_does_not_change_the_result(tmp_path: Path) -> None:
    one, _ = toy_run(toy_recipe(tmp_path / "one"))
    four, _ = toy_run(toy_recipe(tmp_path / "four", gradient_accumulation_steps=4))
    assert_same_weights(weights(one), weights(four), tolerance=1e-6)


def test_workers_do_not_change_the_result(tmp_path: Path) -> None:
    none, _ = toy_run(toy_recipe(tmp_path / "none", epochs=2))
    one, _ = toy_run(toy_recipe(tmp_path / "one", epochs=2, num_workers=1))
    assert_same_weights(weights(none), weights(one))


@pytest.mark.slow
def test_two_processes_equal_one_and_count_every_clip_once(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "two", epochs=2, num_processes=2)
    order = {"recipe": asdict(recipe), "report": str(tmp_path)}
    ended = in_processes(lambda _: toy_training.main(order))
    assert [process.status for process in ended] == [0, 0], ended
    model, result = toy_run(toy_recipe(tmp_path / "one", epochs=2))
    for rank in (0, 1):
        report = read_json(tmp_path / f"rank{rank}.json")
        assert report["num_processes"] == 2
        assert report["num_clips"] == [13, 13]
        assert report["top1"] == [entry["top1"] for entry in result.history]
        with np.load(tmp_path / f"rank{rank}.npz") as found:
            assert_same_weights(weights(model), dict(found), tolerance=1e-6)


def test_asking_for_two_processes_and_getting_one_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="torchrun --nproc-per-node 2"):
        toy_run(toy_recipe(tmp_path, num_processes=2))


def test_full_disk_leaves_the_checkpoint_before_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = toy_recipe(tmp_path, epochs=1)
    toy_run(recipe)
    before = {path: path.read_bytes() for path in sorted(tmp_path.glob("last/**/*")) if path.is_file()}

    def no_space(folder: Path, *rest: Any) -> None:
        (folder / "model.safetensors").write_bytes(b"half a file")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("motionhub.training.trainer.save_model_folder", no_space)
    with pytest.raises(
        checkpoints.CheckpointError, match=r"No space left.*is intact.*resumes from the last"
    ) as caught:
        toy_run(recipe.replace(epochs=2))
    assert caught.value.errno == errno.ENOSPC
    after = {path: path.read_bytes() for path in sorted(tmp_path.glob("last/**/*")) if path.is_file()}
    assert after == before
    assert not list(tmp_path.glob(".*"))
    monkeypatch.undo()
    _, result = toy_run(recipe.replace(epochs=2))
    assert result.steps == 10


def test_file_system_that_refuses_to_write_is_reported(tmp_path: Path) -> None:
    """The real errors of safetensors and torch: no file of this process may grow beyond 2 kB."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
        with pytest.raises(checkpoints.CheckpointError, match="Could not save the checkpoint of update 5"):
            toy_run(toy_recipe(tmp_path, epochs=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not (tmp_path / "last").exists()


def test_kill_between_the_two_renames_is_recovered(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path, epochs=1)
    toy_run(recipe)
    (tmp_path / "last").rename(tmp_path / ".last.old")
    assert checkpoints.find_state(recipe) == tmp_path / ".last.old" / "state"


def test_another_recipe_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    toy_run(toy_recipe(tmp_path, epochs=1))
    with pytest.raises(ValueError, match=r"learning_rate was 0.1, is now 0.5.*resume='none'"):
        toy_run(toy_recipe(tmp_path, learning_rate=0.5))
    with pytest.raises(ValueError, match="holds no training state"):
        toy_run(toy_recipe(tmp_path, resume=str(tmp_path / "nothing")))


def test_epochs_are_fixed_on_resume_with_cosine_and_free_with_step(tmp_path: Path) -> None:
    toy_run(toy_recipe(tmp_path, epochs=1, schedule="cosine"))
    with pytest.raises(ValueError, match="epochs was 1, is now 2"):
        toy_run(toy_recipe(tmp_path, epochs=2, schedule="cosine"))
    toy_run(toy_recipe(tmp_path / "step", epochs=1))
    assert toy_run(toy_recipe(tmp_path / "step", epochs=2))[1].steps == 10


def test_a_checkpoint_does_not_hand_on_where_its_run_was_done(tmp_path: Path) -> None:
    toy_run(toy_recipe(tmp_path, epochs=1, checkpoint_updates=2))
    written = read_json(tmp_path / "last" / "training.json")
    assert (written["epochs"], written["batch_size"], written["learning_rate"]) == (1, 8, 0.1)
    assert not written.keys() & set(MACHINE_FIELDS)


def test_other_data_or_another_start_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    recipe, clips, others = toy_recipe(tmp_path, epochs=1), toy_dataset(16), toy_dataset(5, seed=9)
    train(toy_model(), toy_processor(), clips, others, recipe)
    renamed = clips.map(lambda row: {"clip_id": "x" + row["clip_id"]})
    relabelled = clips.map(lambda row: {"label": 0})
    wider = toy_processor()
    wider.num_frames = 5
    renumbered = toy_model()
    renumbered.config.dropout = 0.7
    for model, processor, data, held_out, what in (
        (toy_model(), toy_processor(), renamed, others, "training clips and labels differ"),
        (toy_model(), toy_processor(), relabelled, others, "training clips and labels differ"),
        (toy_model(), toy_processor(), clips, toy_dataset(4), "evaluation clips and labels differ"),
        (toy_model(seed=5), toy_processor(), clips, others, "run: the starting weights differ. Change"),
        (renumbered, toy_processor(), clips, others, r"run: config.dropout was 0.0, is now 0.7. Change"),
        (toy_model(), wider, clips, others, "run: processor.num_frames was 4, is now 5. Change"),
    ):
        with pytest.raises(ValueError, match=what + r".*--resume none.*--output_dir"):
            train(model, processor, data, held_out, recipe.replace(epochs=2))
    result = train(toy_model(), toy_processor(), clips, others, recipe)
    assert result.steps == 2  # the run itself is still recognised


def test_linear_mode_leaves_the_backbone_untouched_with_its_batch_norm(tmp_path: Path) -> None:
    config = UnikConfig(
        layout="penn-13", num_joints=13, num_people=1, channels=[8, 8], strides=[1, 1], num_heads=1, num_labels=3
    )
    torch.manual_seed(0)
    model = UnikForActionClassification(config)
    before = weights(model)
    recipe = toy_recipe(tmp_path, mode="linear", epochs=1)
    train(model, toy_processor(), toy_dataset(16), toy_dataset(5), recipe)
    changed = {name for name, value in weights(model).items() if not np.array_equal(value, before[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    assert any("running_mean" in name for name in before)
    model = UnikForActionClassification(config)
    train(model, toy_processor(), toy_dataset(16), None, toy_recipe(tmp_path / "all", epochs=1))
    assert any(not np.array_equal(value, before[name]) for name, value in weights(model).items() if "running" in name)


def test_linear_mode_needs_a_backbone(tmp_path: Path) -> None:
    model = toy_model().encoder
    with pytest.raises(ValueError, match="backbone and a head"):
        train(model, toy_processor(), toy_dataset(8), None, toy_recipe(tmp_path, mode="linear"))


class RaggedFrames(torch.utils.data.Dataset):
    """Clips of 8 to 13 frames, labels per frame: class 0 while the person is low, 1 while high, both in between."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, Any]:
        frames = 8 + index
        height = torch.linspace(-1, 1, frames)
        keypoints = height[None, :, None, None].expand(1, frames, 13, 2)
        mask = torch.ones(1, frames, dtype=torch.bool)
        labels = torch.stack([height < 0.3, height > -0.3], dim=1)
        joints = mask[..., None].expand(1, frames, 13)
        item = {"keypoints": keypoints, "joint_mask": joints, "attention_mask": mask, "labels": labels}
        return {**item, "index": torch.tensor(index)}


def test_labels_per_frame_of_clips_of_different_length_are_learned(tmp_path: Path) -> None:
    sizes = {"num_joints": 13, "num_people": 1, "channels": [8, 8], "strides": [1, 1], "num_heads": 1}
    torch.manual_seed(0)
    model = UnikForActionSegmentation(UnikConfig(layout="penn-13", num_labels=2, **sizes))

    @torch.no_grad()
    def frame_map(network: torch.nn.Module, loader: Any, accelerator: Any) -> dict[str, Any]:
        scores, labels, masks = [], [], []
        for batch in loader:
            batch.pop("index")
            labels.append(batch.pop("labels").flatten(0, 1))
            scores.append(network(**batch).logits.flatten(0, 1))
            masks.append(batch["attention_mask"].any(1).flatten())
        mask = torch.cat(masks)
        return frame_average_precision(torch.cat(scores)[mask], torch.cat(labels)[mask])

    recipe = toy_recipe(tmp_path, epochs=1, batch_size=3, log_updates=1)
    clips = RaggedFrames()
    result = train(model, None, clips, clips, recipe, evaluation=frame_map, primary_metric="frame_map")
    assert result.steps == 2
    assert result.last_metrics["num_frames"] == sum(range(8, 14))  # padding is not counted
    assert 0 < result.best_metric <= 1
    assert all(np.isfinite(line["loss"]) for line in lines(tmp_path, "train"))


def test_few_labels_shorten_the_epoch(tmp_path: Path) -> None:
    # 10 % of 14, 13 and 13 clips is one clip a class: 3 clips, fewer than batch_size, make one update of 3.
    _, result = toy_run(toy_recipe(tmp_path, label_fraction=0.1))
    assert result.steps == 3


def test_clips_per_update_is_shared_evenly(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path, gradient_accumulation_steps=2)
    assert clips_per_update(40, recipe, 2) == 8
    assert clips_per_update(7, recipe, 2) == 4
    with pytest.raises(ValueError, match="multiple of 3 processes x 2"):
        clips_per_update(40, recipe, 3)
    with pytest.raises(ValueError, match="too few"):
        clips_per_update(3, recipe, 2)


def test_diverged_loss_is_an_error(tmp_path: Path) -> None:
    def broken(model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        return model(**batch).loss * float("nan")

    with pytest.raises(ValueError, match=r"loss is nan at update 2.*learning_rate"):
        toy_run(toy_recipe(tmp_path), objective=broken)


def test_memory_that_would_be_lost_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="after_update"):
        toy_run(toy_recipe(tmp_path), objective=torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="label_smoothing"):
        toy_run(toy_recipe(tmp_path, label_smoothing=0.1), objective=lambda model, batch: model(**batch).loss)


def test_label_smoothing_is_the_closed_form(tmp_path: Path) -> None:
    # One update of all clips: the logged loss is that of the untouched model.
    recipe = toy_recipe(tmp_path, epochs=1, batch_size=12, label_smoothing=0.3, log_updates=1)
    clips = ClipDataset(toy_dataset(12), toy_processor(), training=True, seed=recipe.seed)
    batch = torch.stack([clips[index]["keypoints"] for index in range(12)])
    with torch.no_grad():
        scores = toy_model()(batch).logits.log_softmax(-1)
    own = scores[range(12), clips.labels]
    expected = -(0.7 * own + 0.3 * scores.mean(-1)).mean()
    train(toy_model(), toy_processor(), toy_dataset(12), None, recipe)
    assert lines(tmp_path, "train")[0]["loss"] == pytest.approx(float(expected), abs=1e-5)


class Counting:
    """An objective with memory, that also returns a part."""

    def __init__(self) -> None:
        self.updates = torch.zeros((), dtype=torch.long)

    def __call__(self, model: torch.nn.Module, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        loss = model(**batch).loss
        return {"loss": loss, "double": 2 * loss.detach()}

    def after_update(self, model: torch.nn.Module) -> None:
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.updates = state_dict["updates"]


def test_memory_of_an_objective_is_resumed_and_its_parts_logged(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    toy_run(toy_recipe(tmp_path, epochs=1), objective=first)
    toy_run(toy_recipe(tmp_path, epochs=3), objective=second)
    assert (int(first.updates), int(second.updates)) == (5, 15)
    assert all(abs(line["double"] - 2 * line["loss"]) < 1e-5 for line in lines(tmp_path, "train"))


def test_bf16_trains_and_gives_the_model_back_without_autocast(tmp_path: Path) -> None:
    model, result = toy_run(toy_recipe(tmp_path, mixed_precision="bf16", epochs=6, milestones=[5]))
    assert result.last_metrics["top1"] == 1.0
    assert model(torch.zeros(1, 1, 4, 13, 2)).logits.dtype == torch.float32
    assert not model.training
    full, _ = toy_run(toy_recipe(tmp_path / "full", epochs=6, milestones=[5]))
    difference = max(np.abs(weights(full)[name] - value).max() for name, value in weights(model).items())
    assert 0 < difference < 0.1  # it really computed in another precision


def auto_means(monkeypatch: pytest.MonkeyPatch, computes: bool) -> None:
    """The machine of the next run: one that computes bfloat16, or one that emulates it."""
    monkeypatch.setattr(precision, "bf16_support", lambda device: (computes, "a made-up processor"))


@pytest.mark.parametrize(("computes", "same_as"), [(True, "bf16"), (False, "no")])
def test_auto_is_what_the_machine_computes_and_is_said_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], computes: bool, same_as: str
) -> None:
    auto_means(monkeypatch, computes)
    chosen, _ = toy_run(toy_recipe(tmp_path / "auto", mixed_precision="auto", epochs=2))
    said = capsys.readouterr().err
    stated, _ = toy_run(toy_recipe(tmp_path / "stated", mixed_precision=same_as, epochs=2))
    for name, value in weights(stated).items():
        np.testing.assert_array_equal(value, weights(chosen)[name], err_msg=name)
    assert said.count("mixed_precision auto:") == 1 and "a made-up processor" in said
    state = read_json(tmp_path / "auto" / "last" / "state" / "progress.json")
    (machine,) = state["progress"]["machines"]
    assert machine["mixed_precision"] == same_as and machine["threads"] == torch.get_num_threads()
    assert "mixed_precision" not in capsys.readouterr().err  # what was stated is not repeated


def test_auto_resumed_on_a_machine_without_bf16_says_what_differs_and_keeps_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    auto_means(monkeypatch, True)
    toy_run(toy_recipe(tmp_path, mixed_precision="auto", epochs=1))
    auto_means(monkeypatch, False)
    toy_run(toy_recipe(tmp_path, mixed_precision="auto", epochs=2))
    said = capsys.readouterr().err
    assert "the machine differs (mixed_precision bf16 -> no)" in said
    assert "--mixed_precision bf16 keeps its precision" in said
    state = read_json(tmp_path / "last" / "state" / "progress.json")
    assert [machine["mixed_precision"] for machine in state["progress"]["machines"]] == ["bf16", "no"]


def test_resumed_with_other_threads_says_so_and_with_the_same_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toy_run(toy_recipe(tmp_path, epochs=1))
    toy_run(toy_recipe(tmp_path, epochs=2))
    assert "the machine differs" not in capsys.readouterr().err
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    toy_run(toy_recipe(tmp_path, epochs=3))
    said = capsys.readouterr().err
    assert f"From update 10 on the machine differs (threads {threads} -> {threads + 1})" in said
    assert "keeps its precision" not in said


def test_a_stated_precision_that_differs_from_the_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto_means(monkeypatch, True)
    toy_run(toy_recipe(tmp_path, mixed_precision="auto", epochs=1))
    with pytest.raises(ValueError, match="mixed_precision was bf16, is now no"):
        toy_run(toy_recipe(tmp_path, mixed_precision="no", epochs=2))
    toy_run(toy_recipe(tmp_path, mixed_precision="bf16", epochs=2))  # stating the earlier value resumes


def test_a_state_written_before_auto_existed_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy_run(toy_recipe(tmp_path, mixed_precision="no", epochs=1))
    file = tmp_path / "last" / "state" / "progress.json"
    state = read_json(file)
    del state["progress"]["machines"]
    write_json(file, state)
    auto_means(monkeypatch, False)
    toy_run(toy_recipe(tmp_path, mixed_precision="auto", epochs=2))
    assert read_json(file)["progress"]["machines"] == [{"mixed_precision": "no", "num_processes": 1}]


def test_clipping_bounds_the_step(tmp_path: Path) -> None:
    # One update of plain SGD moves the weights by learning_rate * min(norm, max_grad_norm).
    changes = {"epochs": 1, "batch_size": 40, "momentum": 0.0, "weight_decay": 0.0, "max_grad_norm": 1e-3}
    model, _ = toy_run(toy_recipe(tmp_path, **changes))
    before = weights(toy_model())
    moved = np.sqrt(sum(((value - before[name]) ** 2).sum() for name, value in weights(model).items()))
    np.testing.assert_allclose(moved, 0.1 * 1e-3, rtol=1e-2)


@pytest.mark.parametrize("chosen", [{"tensorboard": True}, {"log_with": ["tensorboard"]}])
def test_tensorboard_writes_events(tmp_path: Path, chosen: dict[str, Any]) -> None:
    pytest.importorskip("tensorboard")
    toy_run(toy_recipe(tmp_path, epochs=1, **chosen))
    assert list((tmp_path / "tensorboard").glob("events*"))


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_tracker_of_accelerate_gets_the_numbers_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Neither package is installed: this stands in for what Accelerate calls of them."""
    written, config, ended = [], {}, []
    run = SimpleNamespace(
        log=lambda values, step=None, **_: written.append((step, values)),
        config=SimpleNamespace(update=lambda values, **_: config.update(values)),
        finish=lambda: ended.append(True),
    )
    package = SimpleNamespace(init=lambda **_: run, config=run.config, log=run.log, finish=run.finish)
    monkeypatch.setitem(sys.modules, name, package)
    toy_run(toy_recipe(tmp_path, epochs=1, log_with=[name]))
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [step for step, _ in written] == [record["step"] for record in records]
    assert written[0][1]["train/loss"] == records[0]["loss"] and "eval/top1" in written[-1][1]
    assert config["learning_rate"] == 0.1 and ended


def test_a_tracker_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match="log_with='wandb' needs a package: pip install -U accelerate wandb"):
        toy_run(toy_recipe(tmp_path, epochs=1, log_with=["wandb"]))


def test_a_programs_own_handlers_get_the_messages_instead_of_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger, records = logging.getLogger("motionhub.training"), []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        toy_run(toy_recipe(tmp_path, epochs=1))
        toy_run(toy_recipe(tmp_path, epochs=2))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert records == [f"Resuming {tmp_path} after update 5 of 10."]
    assert "Resuming" not in capsys.readouterr().err
