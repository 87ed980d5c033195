"""python conversion/aberman2019.py SOURCE OUTPUT_DIR: official retargeting weights in folders for `from_pretrained`.

SOURCE is one of the three official files (`pretrained_view.pth`, `pretrained_skeleton.pth`, `pretrained_full.pth` of
https://github.com/ChrisWu1997/2D-Motion-Retargeting), whose folder also holds the official statistics `meanpose*.npy`
and `stdpose*.npy`; or that folder, and OUTPUT_DIR gets one folder for each of the files in it.

It knows the official names and formulas (SPECS 6) and ours, and nothing of training. The result is loaded again and
compared with the official formulas on a fixed input.

`variant_of(entries)` tells by the names alone whether a state dict is one of these networks, and which. The file that
LAC publishes as its generator is one (`view`): it has `static_encoder.*` and no `mot_encoder.v`.
"""

import argparse
import pickle
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import motionhub
from motionhub.hub.card import read_card_facts, write_model_card
from motionhub.models.retarget_net import RetargetNetConfig, RetargetNetModel
from motionhub.processing.retargeting import RetargetProcessor


# official module -> ours, and the modules per convolution in its nn.Sequential: padding, convolution, activation, ...
MODULES = {
    "mot_encoder": ("motion_encoder", 3),
    "static_encoder": ("static_encoder", 4),
    "body_encoder": ("body_encoder", 4),
    "view_encoder": ("view_encoder", 4),
    "decoder": ("decoder", 5),
}
# variant -> the statistics its training data were normalised with
STATISTICS = {"view": "_with_view", "skeleton": "", "full": "_with_view"}
FILES = {variant: f"pretrained_{variant}.pth" for variant in STATISTICS}
TOLERANCE = 1e-5
HUB_CONFIGS = Path(__file__).resolve().parent.parent / "hub_configs"


def variant_of(entries: Iterable[str]) -> str | None:
    """The variant of an official state dict by its keys; None when it is another network (LAC's own, for example)."""
    names = set(entries)
    modules = {name.split(".")[0] for name in names}
    if "mot_encoder.v" in names or not {"mot_encoder", "decoder"} <= modules:
        return None
    if {"body_encoder", "view_encoder"} <= modules:
        return "full"
    if "static_encoder" not in modules:
        return None
    return "view" if "static_encoder.model.13.weight" in names else "skeleton"


def convert_state_dict(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """Official entries (`mot_encoder.model.1.weight`, ...) as the state dict of a `RetargetNetModel`.

    Raises:
        ValueError: an entry has no place in the map (it lists them).
    """
    converted, unknown = {}, []
    for key, tensor in official.items():
        module, *middle, leaf = key.split(".")
        name, step = MODULES.get(module, ("", 1))
        if name and middle == ["conv1x1"]:
            converted[f"{name}.compress.{leaf}"] = tensor.detach().clone().float()
        elif name and len(middle) == 2 and middle[0] == "model" and middle[1].isdigit():
            converted[f"{name}.convs.{int(middle[1]) // step}.{leaf}"] = tensor.detach().clone().float()
        else:
            unknown.append(key)
    if unknown:
        raise ValueError(f"Expected the entries of an official network, got {len(unknown)} others: {unknown[:20]}.")
    return converted


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of an official file, and the variant they are.

    Raises:
        ValueError: not a checkpoint, one that holds more than tensors, or another network.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from None
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} is refused or damaged: {str(error).splitlines()[0]}") from None
    except (RuntimeError, EOFError, ValueError, LookupError, AttributeError):
        raise ValueError(f"{path} is not a PyTorch checkpoint, or is damaged; download it again.") from None
    tensors = isinstance(content, dict) and all(isinstance(value, Tensor) for value in content.values())
    variant = variant_of(content) if tensors else None
    if variant is None:
        held = sorted(content)[:8] if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f"{path} is not one of the official retargeting networks (mot_encoder.*, static_encoder.* or "
            f"body_encoder.* and view_encoder.*, decoder.*); it holds {held}."
        )
    return content, variant


def read_statistics(folder: Path, variant: str) -> dict[str, list[list[float]]]:
    """Mean and standard deviation `(15, 2)` of the training data, in canvas pixels."""
    statistics = {}
    for name in ("mean", "std"):
        path = folder / f"{name}pose{STATISTICS[variant]}.npy"
        try:
            values = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(
                f"{path}: the statistics that belong to {FILES[variant]} cannot be read ({error}); they lie in "
                "mixamo_data of the official repository: put them beside the weights, or name their folder with "
                "--statistics."
            ) from None
        if values.shape != (15, 2) or not np.isfinite(values).all():
            raise ValueError(f"{path}: expected 15 x 2 numbers, got shape {values.shape}.")
        statistics[name] = values.tolist()
    return statistics


def build_model(official: dict[str, Tensor], variant: str) -> RetargetNetModel:
    """The network with the official weights in it.

    Raises:
        ValueError: an entry is missing, has no place, or has another shape.
    """
    converted, model = convert_state_dict(official), RetargetNetModel(RetargetNetConfig(variant=variant))
    own = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    got = {key: tuple(value.shape) for key, value in converted.items()}
    if own != got:
        wrong = sorted(key for key in own.keys() | got.keys() if own.get(key) != got.get(key))
        shapes = [f"{key} {got.get(key, 'absent')} instead of {own.get(key, 'nothing')}" for key in wrong[:10]]
        raise ValueError(f"The file does not fit variant {variant!r}: {'; '.join(shapes)}.")
    model.load_state_dict(converted)
    return model.eval()


def reference_transfer(official: dict[str, Tensor], source: Tensor, target: Tensor, view: Tensor) -> Tensor:
    """The official formulas straight from the official entries, in float64; shares no code with the model."""
    weights = {key: tensor.double() for key, tensor in official.items()}

    def conv(x: Tensor, module: str, index: int, stride: int = 1) -> Tensor:
        name = f"{module}.model.{index}"
        return F.conv1d(
            F.pad(x, (3, 3), mode="reflect"), weights[f"{name}.weight"], weights[f"{name}.bias"], stride=stride
        )

    def static(x: Tensor, module: str) -> Tensor:
        mean = module == "view_encoder"
        for index in (1, 5, 9, 13):
            if f"{module}.model.{index}.weight" in weights:
                x = F.leaky_relu(conv(x, module, index), 0.2)
                x = F.avg_pool1d(x, 2) if mean else F.max_pool1d(x, 2)
        x = F.avg_pool1d(x, x.shape[-1]) if mean else F.max_pool1d(x, x.shape[-1])
        if f"{module}.conv1x1.weight" in weights:
            x = F.conv1d(x, weights[f"{module}.conv1x1.weight"], weights[f"{module}.conv1x1.bias"])
        return x

    motion = source.double()
    for index in (1, 4, 7):
        motion = F.leaky_relu(conv(motion, "mot_encoder", index, stride=2), 0.2)
    target, view = target.double()[:, :-2], view.double()[:, :-2]
    if "static_encoder.model.1.weight" in weights:
        codes = [static(target, "static_encoder")]
    else:
        codes = [static(target, "body_encoder"), static(view, "view_encoder")]
    x = torch.cat([motion, *(code.repeat(1, 1, motion.shape[-1]) for code in codes)], dim=1)
    for index in (2, 7, 12):
        x = conv(F.interpolate(x, scale_factor=2, mode="nearest"), "decoder", index)
        x = x if index == 12 else F.leaky_relu(x, 0.2)
    return x


@torch.no_grad()
def verify(official: dict[str, Tensor], folder: Path) -> float:
    """Load the folder again and compare it with the official formulas; the largest difference.

    Raises:
        ValueError: it is above 1e-5.
    """
    model = motionhub.AutoModelForMotionRetargeting.from_pretrained(folder).eval()
    position = torch.arange(30 * 64, dtype=torch.float64)
    source = (position.mul(0.13).cos() + 0.3 * position.mul(0.017).sin()).float().reshape(1, 30, 64)
    target, view = source.flip(-1), source.flip(1)
    expected = reference_transfer(official, source, target, view)
    got = model.transfer(source, target, view if model.config.variant == "full" else None)
    difference = float((got.double() - expected).abs().max())
    if not difference <= TOLERANCE:
        raise ValueError(f"The converted model differs from the official formulas by {difference:.1e}; not usable.")
    return difference


def convert(source: Path, output_dir: Path, statistics: Path) -> list[str]:
    """Writes the folder only when it has been verified; returns what to print. Raises ValueError or OSError."""
    official, variant = read_checkpoint(source)
    model, processor = build_model(official, variant), RetargetProcessor(**read_statistics(statistics, variant))
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        difference = verify(official, Path(folder))
        facts = card_facts(source, output_dir, variant, difference)
        joints = motionhub.get_layout(model.config.layout).joints
        described = {**model.config.to_dict(), "id2label": {}}
        write_model_card(folder, described, processor.to_dict(), None, None, facts, joints=joints)
        shutil.copytree(folder, output_dir, dirs_exist_ok=True)
    return [
        f"{source.name}: variant {variant!r}, {len(official)} entries, {model.num_parameters():,} parameters",
        f"verified against the official formulas: difference {difference:.1e}",
        f"saved to {output_dir}",
    ]


def card_facts(source: Path, output_dir: Path, variant: str, difference: float) -> dict[str, Any]:
    """What hub_configs says about this variant, and where these weights come from."""
    facts = read_card_facts(HUB_CONFIGS / f"retarget-{variant}-aberman")
    provenance = (
        f"Converted from {source.name} (official code: https://github.com/ChrisWu1997/2D-Motion-Retargeting) by "
        f"conversion/aberman2019.py; difference from the official formulas on a fixed input {difference:.0e}."
    )
    return {**facts, "weights": {"status": "converted", "provenance": provenance, "folder": str(output_dir)}}


def jobs(source: Path, output_dir: Path) -> list[tuple[Path, Path]]:
    """(official file, folder to write) for one file, or for each official file of a folder."""
    if not source.is_dir():
        return [(source, output_dir)]
    found = [(source / name, output_dir / f"retarget-{variant}-aberman") for variant, name in FILES.items()]
    found = [job for job in found if job[0].exists()]
    if not found:
        raise ValueError(f"{source} has none of {list(FILES.values())}; give a file, or the folder they lie in.")
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Convert the official 2-D motion retargeting weights.")
    parser.add_argument(
        "source", type=Path, help="pretrained_view.pth, _skeleton or _full, or the folder of all three"
    )
    parser.add_argument("output_dir", type=Path, help="folder for model, processor and card")
    parser.add_argument("--statistics", type=Path, help="folder of meanpose*.npy and stdpose*.npy; default: SOURCE's")
    options = parser.parse_args(arguments)
    try:
        folder = options.source if options.source.is_dir() else options.source.parent
        for source, output_dir in jobs(options.source, options.output_dir):
            print("\n".join(convert(source, output_dir, options.statistics or folder)))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
