"""python conversion/lac.py SOURCE OUTPUT_DIR: checkpoints of LAC's official code, in a folder for `from_pretrained`.

No weights of LAC were published. The file `pretrained_generator.pth` of its repository
(https://github.com/walker1126/Latent_Action_Composition) is the `view` network of Aberman et al., byte for byte: it is
rejected with the name of the script that converts it. Converted files, by their entries:

- a generator: `mot_encoder.v`, `mot_encoder.model.{1,4,7}.*`, `decoder.model.{2,7,12}.*` -> LacModel;
- a visual encoder, UNIK without unused biases: with `encoder_q.` (contrastive stage, without key encoder, queue and
  projection) -> UnikModel, with `fc.*` -> UnikForActionSegmentation.

The result is loaded again and compared with the official formulas on a fixed input.
"""

import argparse
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aberman2019
import official_weights
import torch
import torch.nn.functional as F
import unik
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel

import motionhub
from motionhub.models.lac import LacConfig, LacModel
from motionhub.models.unik import UnikConfig, UnikForActionSegmentation, UnikModel
from motionhub.processing.retargeting import RetargetProcessor
from motionhub.processing.skeleton import SkeletonProcessor


STATISTICS_OF = aberman2019.HUB_CONFIGS / "retarget-view-aberman"  # LAC's are the same files
MOTION_DIRECTIONS = 128  # of the 160; shapes do not tell
LAYERS = {"mot_encoder.model": ("encoder", (1, 4, 7)), "decoder.model": ("decoder", (2, 7, 12))}
TOLERANCE = 1e-5


def kind_of(entries: dict[str, Tensor]) -> str:
    """`"generator"`, `"pre-trained encoder"` or `"segmenter"`.

    Raises:
        ValueError: the network of Aberman et al., or none of LAC's.
    """
    variant = aberman2019.variant_of(entries)
    if variant is not None:
        raise ValueError(
            f"This is not LAC's generator but the {variant!r} network of Aberman et al. 2019 (LAC's release holds it "
            "under the name pretrained_generator.pth; no weights of LAC were published). Convert it with: python "
            "conversion/aberman2019.py SOURCE OUTPUT_DIR"
        )
    if "mot_encoder.v" in entries:
        return "generator"
    if any(key.startswith("encoder_q.") for key in entries):
        return "pre-trained encoder"
    if "data_bn.weight" in entries and "fc.weight" in entries:
        return "segmenter"
    raise ValueError(
        "Expected LAC's generator (mot_encoder.v, ...), its encoder (encoder_q.*) or its UNIK (data_bn.*, fc.*), "
        f"got {len(entries)} entries: {', '.join(sorted(entries)[:8])}..."
    )


def convert_generator(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """Official entries as the state dict of a `LacModel`.

    Raises:
        ValueError: an entry has no place (it lists them).
    """
    converted, unknown = {}, []
    for key, tensor in official.items():
        module, _, rest = key.partition(".model.")
        index, _, leaf = rest.partition(".")
        name, places = LAYERS.get(f"{module}.model", ("", ()))
        if key == "mot_encoder.v":
            converted["basis.directions"] = tensor.detach().clone().float()
        elif index.isdigit() and int(index) in places:
            converted[f"{name}.convs.{places.index(int(index))}.{leaf}"] = tensor.detach().clone().float()
        else:
            unknown.append(key)
    if unknown:
        raise ValueError(f"Expected the entries of LAC's generator, got {len(unknown)} others: {unknown[:20]}.")
    return converted


def build_generator(official: dict[str, Tensor], layout: str | None) -> tuple[LacModel, Any]:
    """The generator and the processor of its rows.

    Raises:
        ValueError: entries are missing or of other shapes, or the layout is needed or does not fit.
    """
    needed = [f"{module}.{index}.weight" for module, (_, places) in LAYERS.items() for index in places]
    if absent := [key for key in needed if key not in official]:
        raise ValueError(f"The generator lacks {absent}; it is damaged or another network.")
    widths = [official[key].shape[0] for key in needed]
    rows = widths[-1] // 2
    official_rows = layout in (None, "lac-15") and rows == 15
    if not official_rows and (layout is None or motionhub.get_layout(layout).num_joints != rows):
        raise ValueError(f"The generator has {rows} rows, layout {layout!r} has not; name the layout with --layout.")
    directions = official["mot_encoder.v"].shape[1]
    config = LacConfig(
        layout=layout or "lac-15",
        num_joints=rows,
        encoder_channels=widths[:3],
        decoder_channels=widths[3:5],
        num_motion_directions=min(MOTION_DIRECTIONS, directions - 1),
        num_static_directions=directions - min(MOTION_DIRECTIONS, directions - 1),
    )
    model, converted = LacModel(config), convert_generator(official)
    own = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    got = {key: tuple(value.shape) for key, value in converted.items()}
    if own != got:
        wrong = sorted(key for key in own.keys() | got.keys() if own.get(key) != got.get(key))
        raise ValueError(f"The file does not fit LAC's generator: {wrong[:10]} are missing or of another shape.")
    model.load_state_dict(converted)
    if official_rows:
        return model.eval(), RetargetProcessor.from_pretrained(STATISTICS_OF)
    return model.eval(), SkeletonProcessor(layout=layout, normalization="centre", scale="extent", num_people=None)


def build_encoder(official: dict[str, Tensor], kind: str, options: argparse.Namespace) -> tuple[Any, Any]:
    """UNIK from LAC's copy of it, and the processor that the official scripts amount to.

    Raises:
        ValueError: an entry has no place or is missing (it lists them).
    """
    names = unik.read_class_names(options.class_names)
    config = unik.build_config(official, layout=options.layout, class_names=names)
    model = UnikModel(config) if kind == "pre-trained encoder" else UnikForActionSegmentation(config)
    converted = unik.convert_state_dict(official)
    if isinstance(model, UnikModel):
        converted = {key.removeprefix("encoder."): value for key, value in converted.items()}
    wrong = sorted(set(converted) ^ set(model.state_dict()))
    if wrong:
        raise ValueError(f"The file does not fit UNIK: {len(wrong)} entries are missing or too many: {wrong[:10]}.")
    model.load_state_dict(converted)
    return model.eval(), unik.build_processor(config, "joint")


def query_encoder(entries: dict[str, Tensor]) -> dict[str, Tensor]:
    """UNIK's entries of the contrastive stage: without its projection (`fc`), key encoder and queue."""
    own = {key.removeprefix("encoder_q."): value for key, value in entries.items() if key.startswith("encoder_q.")}
    return {key: value for key, value in own.items() if not key.startswith("fc.")}


def reference_composition(official: dict[str, Tensor], first: Tensor, second: Tensor) -> Tensor:
    """Both motions with the static of `first` by the official formulas, in float64; shares no code with the model."""
    weights = {key: tensor.double() for key, tensor in official.items()}

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        padded = F.pad(x, (3, 3), mode="reflect")
        return F.conv1d(padded, weights[f"{name}.weight"], weights[f"{name}.bias"], stride=stride)

    basis = torch.linalg.qr(weights["mot_encoder.v"] + 1e-8).Q
    moving = min(MOTION_DIRECTIONS, basis.shape[1] - 1)

    def parts(x: Tensor) -> tuple[Tensor, Tensor]:
        for index in (1, 4, 7):
            x = F.leaky_relu(conv(x, f"mot_encoder.model.{index}", stride=2), 0.2)
        motion = basis[:, :moving] @ (basis[:, :moving].T @ x)
        return motion, basis[:, moving:] @ (basis[:, moving:].T @ x.mean(-1, keepdim=True))

    motion, static = parts(first.double())
    x = (motion + parts(second.double())[0]) / 2 + static
    for index in (2, 7, 12):
        x = conv(F.interpolate(x, scale_factor=2, mode="nearest"), f"decoder.model.{index}")
        x = x if index == 12 else F.leaky_relu(x, 0.2)
    return x


@torch.no_grad()
def verify(official: dict[str, Tensor], folder: Path, kind: str) -> float:
    """Load the folder again and compare it with the official formulas; the largest difference, relative for UNIK.

    Raises:
        ValueError: it is too large.
    """
    config, tolerance = (
        AutoConfig.from_pretrained(folder),
        TOLERANCE if kind == "generator" else official_weights.TOLERANCE,
    )
    if kind == "generator":
        model = motionhub.AutoModelForMotionRetargeting.from_pretrained(folder).eval()
        position = torch.arange(config.num_joints * 2 * 64, dtype=torch.float64)
        first = (position.mul(0.13).cos() + 0.3 * position.mul(0.017).sin()).float().view(1, -1, 64)
        second = first.flip(-1)
        difference = float(
            (model.mix([first, second], first) - reference_composition(official, first, second)).abs().max()
        )
    else:
        auto = AutoModel if kind == "pre-trained encoder" else motionhub.AutoModelForActionSegmentation
        model = auto.from_pretrained(folder, pooling="official").eval()
        keypoints = unik.probe_keypoints(config)
        expected = unik.reference_features(official, keypoints, UnikConfig(**config.to_dict()))
        if kind == "segmenter":  # the mean of the scores is the score of the mean
            expected = F.linear(expected, official["fc.weight"].double(), official["fc.bias"].double())
            got = model.coarse_logits(model.encoder(keypoints).last_hidden_state).mean(1)
        else:
            got = model(keypoints).pooler_output
        difference = float((got.double() - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
    if not difference <= tolerance:
        raise ValueError(f"The converted model differs from the official formulas by {difference:.1e}; not usable.")
    return difference


def convert(options: argparse.Namespace) -> list[str]:
    """Writes the folder after verification; returns the text to print. Raises ValueError or OSError."""
    official = unik.read_checkpoint(options.source)
    kind = kind_of(official)
    model: PreTrainedModel
    if kind == "generator":
        model, processor = build_generator(official, options.layout)
    else:
        official = query_encoder(official) if kind == "pre-trained encoder" else official
        model, processor = build_encoder(official, kind, options)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        difference = verify(official, Path(folder), kind)
        shutil.copytree(folder, options.output_dir, dirs_exist_ok=True)
    return [
        f"{options.source.name}: {kind}, {len(official)} entries, {model.num_parameters():,} parameters",
        f"verified against the official formulas: difference {difference:.1e}",
        f"saved to {options.output_dir}",
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Convert weights made with LAC's official code.")
    parser.add_argument("source", type=Path, help="file of the generator, of the contrastive stage or of a UNIK")
    parser.add_argument("output_dir", type=Path, help="folder for model and processor")
    parser.add_argument("--layout", help="joint layout; default by the number of joints")
    parser.add_argument("--class-names", help="text file with one name per line, or a dataset that the library reads")
    try:
        print("\n".join(convert(parser.parse_args(arguments))))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
