"""python conversion/cv_mim.py PREFIX OUTPUT_DIR: an official CV-MIM (or Pr-VIPE) encoder for `from_pretrained`.

PREFIX is a checkpoint that google-research's poem/cv_mim writes (`tf.train.Checkpoint(model=...)`): PREFIX.index and
PREFIX.data-*. TensorFlow is not needed. No checkpoint is published; this converts checkpoints of new trainings. With
`--head PREFIX` the weights of a temporal ConvNet trained on the frozen encoder become a classifier's.

Dense kernels (in, out) and Conv1D kernels (frames, in, out) are transposed. The result is loaded again and compared
with the official formulas.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from tensor_bundle import read_bundle
from torch import Tensor

import motionhub
from motionhub.models.cv_mim import CvMimConfig, CvMimForActionClassification, CvMimModel
from motionhub.processing.skeleton import SkeletonProcessor


SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
# official leaf -> (ours, axes of the transpose)
LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# position in a Keras Sequential [Dense, BatchNorm, ReLU, Dropout] * n -> ours; the same counting layers with weights
WITH_WEIGHTS = {0: "0.linear", 1: "0.norm", 2: "1.linear", 3: "1.norm"}
ALL_LAYERS = {0: "0.linear", 1: "0.norm", 4: "1.linear", 5: "1.norm"}
EMBEDDERS = {"embedder": "embedder", "embedder_mean": "embedder", "embedder_logvar": "spread"}
EMBEDDERS |= {"embedder_stddev": "spread"}
# layers with weights of the official ConvNet head
HEAD = {0: "convs.0.conv", 1: "norms.0.norm", 2: "convs.1.conv", 3: "norms.1.norm", 4: "convs.2.conv"}
HEAD |= {5: "norms.2.norm", 6: "last"}
ENCODER = re.compile(r"(?:^|/)encoder/blocks/(\d+)/(.+)/(\w+)$")
TOLERANCE = 1e-4


def convert_encoder(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Official arrays by name as the state dict of a `CvMimModel`; other networks of the checkpoint are left out.

    Raises:
        ValueError: there is no encoder, or one of its arrays has no place in the map.
    """
    converted, unknown = {}, []
    for name, array in arrays.items():
        found = ENCODER.search(name.removesuffix(SUFFIX))
        if found is None or ".OPTIMIZER_SLOT" in name:
            continue
        block, inner, leaf = int(found[1]), found[2], found[3]
        module = _module(block, inner)
        if module is None or leaf not in LEAVES:
            unknown.append(name)
        else:
            converted[f"{module}.{LEAVES[leaf]}"] = _tensor(array, leaf)
    if unknown or not converted:
        raise ValueError(
            "Expected the arrays of an official encoder (encoder/blocks/...), got "
            f"{unknown[:10] or sorted(arrays)[:10]}."
        )
    return {**converted, **_counters(converted)}


def _module(block: int, inner: str) -> str | None:
    if inner in EMBEDDERS:
        return EMBEDDERS[inner]
    found = re.fullmatch(r"(linear_layers/)?layer(_with_weights)?-(\d+)", inner)
    if found is None:
        return None
    place = (WITH_WEIGHTS if found[2] else ALL_LAYERS).get(int(found[3]))
    if place is None or (not found[1] and (block != 1 or place[0] != "0")):
        return None
    return f"first.{place[2:]}" if not found[1] else f"blocks.{block - 2}.layers.{place}"


def convert_head(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Official arrays of a temporal ConvNet as the entries `classifier.*` of a `CvMimForActionClassification`.

    Raises:
        ValueError: it is another head.
    """
    converted = {}
    for name, array in arrays.items():
        found = re.search(r"(?:^|/)layer_with_weights-(\d+)/(\w+)$", name.removesuffix(SUFFIX))
        if found and ".OPTIMIZER_SLOT" not in name and int(found[1]) in HEAD and found[2] in LEAVES:
            converted[f"classifier.{HEAD[int(found[1])]}.{LEAVES[found[2]]}"] = _tensor(array, found[2])
    if len(converted) != 3 * 2 + 3 * 4 + 2:
        raise ValueError(
            f"Expected the 20 arrays of an official ConvNet head, got {len(converted)}: {sorted(arrays)[:10]}."
        )
    return {**converted, **_counters(converted)}


def _tensor(array: np.ndarray, leaf: str) -> Tensor:
    # Every kernel has its axes in reverse: (in, out) -> (out, in), (frames, in, out) -> (out, in, frames).
    return torch.from_numpy((array.T if leaf == "kernel" else array).astype(np.float32).copy())


def _counters(converted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keras counts no batches."""
    norms = [name.removesuffix("running_mean") for name in converted if name.endswith("running_mean")]
    return {f"{name}num_batches_tracked": torch.zeros((), dtype=torch.long) for name in norms}


def build_config(weights: dict[str, Tensor], pose_size: int | None, embedder: str) -> CvMimConfig:
    """Sizes read off the arrays. Without `pose_size` the vector is halved."""
    width, inputs = weights["first.linear.weight"].shape
    codes = len(weights["embedder.bias"])
    pose = codes // 2 if pose_size is None else pose_size
    if inputs % 2 or not 1 <= pose <= codes:
        raise ValueError(
            f"Expected an encoder of 2-D joints and pose_size in 1..{codes}, got {inputs} inputs and {pose}."
        )
    return CvMimConfig(
        num_joints=inputs // 2,
        width=width,
        num_blocks=len({name.split(".")[1] for name in weights if name.startswith("blocks.")}),
        pose_size=pose,
        view_size=codes - pose,
        embedder=embedder if "spread.weight" in weights else "point",
        missing_joints="official",
    )


def official_codes(arrays: dict[str, Tensor], poses: np.ndarray, num_blocks: int) -> np.ndarray:
    """The official formulas in float64, outside training: `poses (num_poses, joints, 2)` as (x, y)."""
    weights = {name: value.double().numpy() for name, value in arrays.items()}

    def block(name: str, rows: np.ndarray) -> np.ndarray:
        rows = rows @ weights[f"{name}.linear.weight"].T + weights[f"{name}.linear.bias"]
        norm = {leaf: weights[f"{name}.norm.{leaf}"] for leaf in ("weight", "bias", "running_mean", "running_var")}
        rows = (rows - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-3) * norm["weight"] + norm["bias"]
        return np.maximum(rows, 0)

    rows = block("first", poses[..., ::-1].reshape(len(poses), -1))
    for index in range(num_blocks):
        rows = rows + block(f"blocks.{index}.layers.1", block(f"blocks.{index}.layers.0", rows))
    return np.asarray(rows @ weights["embedder.weight"].T + weights["embedder.bias"])


@torch.no_grad()
def verify(folder: Path, weights: dict[str, Tensor]) -> float:
    """Load the folder again and compare with the official formulas; the largest difference.

    Raises:
        ValueError: it is above 1e-4 of the largest number.
    """
    model = motionhub.CvMimModel.from_pretrained(folder).eval()
    poses = np.cos(np.arange(7 * model.config.num_joints * 2) * 0.37).reshape(7, -1, 2)
    expected = official_codes(weights, poses, model.config.num_blocks)
    codes = model.encode(torch.from_numpy(poses).float())
    got = torch.cat([codes.pose, codes.view], dim=1).double().numpy()
    difference = float(np.abs(got - expected).max() / max(1.0, np.abs(expected).max()))
    if not difference <= TOLERANCE:
        raise ValueError(f"The converted model differs from the official formulas by {difference:.1e}; not usable.")
    return difference


def convert(prefix: Path, output_dir: Path, pose_size: int | None, embedder: str, head: Path | None) -> list[str]:
    """Writes the folder after verification; returns the text to print. Raises ValueError or OSError."""
    weights = convert_encoder(read_bundle(prefix))
    config = build_config(weights, pose_size, embedder)
    entries = weights
    make: type[CvMimModel] | type[CvMimForActionClassification] = CvMimModel
    if head is not None:
        classifier = convert_head(read_bundle(head))
        labels = len(classifier["classifier.last.bias"])
        config.id2label = {label: f"action {label}" for label in range(labels)}
        config.label2id = {name: label for label, name in config.id2label.items()}
        entries = {**{f"encoder.{name}": value for name, value in weights.items()}, **classifier}
        make = CvMimForActionClassification
    model = make(config)
    _check_shapes(model, entries)
    model.load_state_dict(entries)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        SkeletonProcessor(layout=config.layout, num_people=1, normalization="torso").save_pretrained(folder)
        difference = verify(Path(folder), weights)
        shutil.copytree(folder, output_dir, dirs_exist_ok=True)
    return [
        f"{prefix.name}: {model.num_parameters():,} parameters, {config.num_joints} joints",
        f"verified against the official formulas: difference {difference:.1e}",
        f"saved to {output_dir}",
    ]


def _check_shapes(model: torch.nn.Module, entries: dict[str, Tensor]) -> None:
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    got = {name: tuple(value.shape) for name, value in entries.items()}
    if own != got:
        wrong = sorted(name for name in own.keys() | got.keys() if own.get(name) != got.get(name))
        shown = [f"{name} {got.get(name, 'absent')} instead of {own.get(name, 'nothing')}" for name in wrong[:8]]
        raise ValueError(f"The checkpoint does not fit its own sizes: {'; '.join(shown)}.")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Convert an official CV-MIM or Pr-VIPE checkpoint.")
    parser.add_argument("prefix", type=Path, help="of the checkpoint: PREFIX.index, PREFIX.data-*")
    parser.add_argument("output_dir", type=Path, help="folder for model and processor")
    parser.add_argument("--pose_size", type=int, default=None, help="numbers of the pose vector; default: half")
    kinds = "of a Gaussian embedder: gaussian (CV-MIM's code) or gaussian-elu (Pr-VIPE)"
    parser.add_argument("--embedder", choices=("gaussian", "gaussian-elu"), default="gaussian", help=kinds)
    parser.add_argument("--head", type=Path, default=None, help="prefix of a temporal ConvNet trained on the encoder")
    options = parser.parse_args(arguments)
    try:
        print("\n".join(convert(**vars(options))))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
