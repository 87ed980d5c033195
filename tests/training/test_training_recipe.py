"""The recipe: what it refuses, how it is read, and the learning rates it stands for."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_training import toy_model, weights
from transformers import HfArgumentParser, get_scheduler

from motionhub.cli.main import main
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.optimization import build_optimizer, learning_rate_factor
from motionhub.training.start import parse_training


HUB_CONFIGS = Path(__file__).resolve().parents[2] / "hub_configs"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "probe"}, "mode must be one of"),
        ({"optimizer": "adam"}, "optimizer must be one of"),
        ({"label_fraction": 0.0}, r"label_fraction must be in \(0, 1\]"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0, got nan"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"max_grad_norm": -1.0}, "max_grad_norm must be above 0, or none"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"milestones": [40, 30]}, "rising order"),
        ({"batch_size": 6, "gradient_accumulation_steps": 4}, "multiple of gradient_accumulation_steps"),
        ({"mixed_precision": "fp16"}, "mixed_precision must be one of"),
        ({"log_with": ["tensorboards"]}, r"log_with must be of .*got \['tensorboards'\]"),
    ],
)
def test_impossible_numbers_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingRecipe(**change)


def test_file_round_trip_and_unknown_field(tmp_path: Path) -> None:
    recipe = TrainingRecipe(milestones=[10, 20], max_grad_norm=1.0, source="somewhere")
    recipe.to_file(tmp_path / "training.json")
    assert TrainingRecipe.from_file(tmp_path) == recipe
    assert TrainingRecipe.from_file(tmp_path / "training.json", epochs=3) == recipe.replace(epochs=3)
    (tmp_path / "training.json").write_text(json.dumps({"learnin_rate": 0.1}))
    with pytest.raises(ValueError, match="learnin_rate"):
        TrainingRecipe.from_file(tmp_path)
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        TrainingRecipe.from_file(tmp_path)
    with pytest.raises(ValueError, match="No recipe at"):
        TrainingRecipe.from_file(tmp_path / "nowhere.json")


def test_published_recipes_are_valid() -> None:
    files = sorted(HUB_CONFIGS.glob("*/training.json"))
    assert files
    assert all(TrainingRecipe.from_file(file).epochs > 0 for file in files)


def test_every_field_is_a_documented_option(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--optimizer", "adamw", "--milestones", "5", "9", "--cpu", "--num_processes", "2", "--no_drop_last"]
    (recipe,) = HfArgumentParser(TrainingRecipe).parse_args_into_dataclasses(words)
    assert (recipe.optimizer, recipe.milestones, recipe.cpu) == ("adamw", [5, 9], True)
    assert (recipe.num_processes, recipe.drop_last) == (2, False)
    with pytest.raises(SystemExit):
        HfArgumentParser(TrainingRecipe).parse_args(["--help"])
    help_text = capsys.readouterr().out
    for entry in TrainingRecipe.__dataclass_fields__.values():
        assert entry.metadata["help"].split(":")[0].split(" ")[0] in help_text


def test_recipe_of_the_model_folder_gives_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(json.dumps({"mode": "scratch", "epochs": 7, "milestones": [3]}))
    words = ["--dataset", "n-ucla", f"--model={tmp_path}", "--learning_rate", "0.2"]
    arguments, recipe = parse_training(words, "test")
    assert (recipe.epochs, recipe.milestones, recipe.learning_rate) == (7, [3], 0.2)
    assert arguments.model == str(tmp_path)


def test_where_a_run_was_done_is_no_default_of_the_next(tmp_path: Path) -> None:
    """Else `--model runs/x/last` alone would resume runs/x and report its numbers."""
    TrainingRecipe(mode="scratch", epochs=7, output_dir="runs/x", resume="runs/y", cpu=True, num_processes=2).to_file(
        tmp_path / "training.json"
    )
    _, recipe = parse_training(["--dataset", "n-ucla", "--model", str(tmp_path)], "test")
    assert recipe == TrainingRecipe(mode="scratch", epochs=7)


@pytest.mark.parametrize("written", ["scratch", "linear", "finetune"])
def test_weights_that_are_there_are_used_and_missing_ones_leave_the_recipes_mode(tmp_path: Path, written: str) -> None:
    (tmp_path / "training.json").write_text(json.dumps({"mode": written}))
    words = ["--dataset", "n-ucla", "--model", str(tmp_path)]
    if written == "scratch":
        assert parse_training(words, "test")[1].mode == "scratch"
    else:
        with pytest.raises(ValueError, match=f"mode '{written}' starts from weights.*has none.*--mode scratch"):
            parse_training(words, "test")
    assert parse_training([*words, "--mode", "scratch"], "test")[1].mode == "scratch"
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert parse_training(words, "test")[1].mode == "finetune"
    assert parse_training([*words, "--mode=scratch"], "test")[1].mode == "scratch"
    assert parse_training([*words[:2], "--model", "someone/of-the-hub"], "test")[1].mode == "finetune"


def test_a_recipe_of_another_checkpoint_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    (tmp_path / "model" / "training.json").write_text(json.dumps({"epochs": 99, "momentum": 0.5}))
    words = ["--dataset", "penn-action", "--model", str(tmp_path / "model"), "--recipe"]
    for source in (HUB_CONFIGS / "unik-penn", HUB_CONFIGS / "unik-penn" / "training.json"):
        _, recipe = parse_training([*words, str(source), "--seed", "4"], "test")
        assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.momentum) == (30, 8, 0.05, 0.9)
        assert (recipe.mode, recipe.seed) == ("finetune", 4)
    with pytest.raises(ValueError, match="No recipe at"):
        parse_training([*words, str(tmp_path / "nowhere.json")], "test")


def test_step_schedule_divides_at_the_milestone_epochs() -> None:
    recipe = TrainingRecipe(milestones=[30, 40], epochs=50)
    factors = [learning_rate_factor(recipe, update, updates_per_epoch=4) for update in (0, 119, 120, 159, 160, 199)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_rises_linearly_then_falls_to_zero() -> None:
    recipe = TrainingRecipe(schedule="cosine", warmup_epochs=2, epochs=10)
    factors = [learning_rate_factor(recipe, update, updates_per_epoch=5) for update in range(51)]
    assert factors[:10] == pytest.approx([(update + 1) / 10 for update in range(10)])
    assert factors[10] == 1.0
    assert factors[30] == pytest.approx(0.5)  # half way between updates 10 and 50
    assert factors[20] == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert factors[50] == pytest.approx(0.0, abs=1e-12)


def test_cosine_without_warm_up_is_that_of_transformers_and_with_it_is_not() -> None:
    def rates(recipe: TrainingRecipe, schedule: Any) -> list[float]:
        return [schedule(recipe, update) for update in range(recipe.epochs * 7 + 1)]

    def of_transformers(recipe: TrainingRecipe, update: int) -> float:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        warmup, total = int(recipe.warmup_epochs * 7), recipe.epochs * 7
        made = get_scheduler("cosine", optimizer, num_warmup_steps=warmup, num_training_steps=total)
        return float(made.lr_lambdas[0](update))

    def own(recipe: TrainingRecipe, update: int) -> float:
        return learning_rate_factor(recipe, update, updates_per_epoch=7)

    plain = TrainingRecipe(schedule="cosine", epochs=5)
    assert rates(plain, own) == rates(plain, of_transformers)
    warmed = TrainingRecipe(schedule="cosine", epochs=5, warmup_epochs=1)
    assert rates(warmed, own)[7:] == rates(warmed, of_transformers)[7:]
    assert rates(warmed, own)[:7] == rates(warmed, of_transformers)[1:8]


def test_adamw_spares_biases_from_decay_and_sgd_does_not() -> None:
    for name, untouched in (("adamw", True), ("sgd", False)):
        model = toy_model()
        before = weights(model)
        recipe = TrainingRecipe(optimizer=name, learning_rate=0.1, momentum=0.0, weight_decay=0.5)  # type: ignore[arg-type]
        optimizer = build_optimizer(model, recipe)
        for weight in model.parameters():
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
        after = weights(model)
        assert ((after["classifier.bias"] == before["classifier.bias"]).all()) == untouched
        assert after["classifier.weight"] == pytest.approx(0.95 * before["classifier.weight"])


def test_abbreviated_and_required_options_are_parsed_beside_the_recipe_of_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "training.json").write_text(json.dumps({"mode": "scratch", "epochs": 7}))
    _, recipe = parse_training(["--dataset", "d", "--model", str(tmp_path), "--learning_r", "0.5"], "test")
    assert (recipe.epochs, recipe.learning_rate) == (7, 0.5)
    with pytest.raises(SystemExit):
        parse_training(["--dataset", "d"], "test")
    assert "required: --model" in capsys.readouterr().err


def test_options_of_models_that_label_frames_are_refused_for_whole_clips(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--dataset", "n-ucla", "--model", str(HUB_CONFIGS / "unik-penn"), "--mode", "scratch"]
    assert main([*words, "--hop", "5"]) == 2
    assert "--hop is for models that label every frame" in capsys.readouterr().err
