"""python conversion/u_vi.py SOURCE OUTPUT_DIR: an official U-VI auto-encoder becomes a folder `from_pretrained` loads.

No weights of U-VI were published; this converts files of the official code: its auto-encoder (`pose_encoder.*`,
`view_encoder.*`, `decoder.*`), or its GRU classifier (`pose_encoder.*`, `gru.*`, `lp4.*`, `output_layer2.*`), which
contains the encoder only. The number of points comes from the shape of `lp3`.
"""

import argparse
import sys
from pathlib import Path

import torch
from nested_tensors import read_tensors
from torch import Tensor

from motionhub.models.u_vi import UViConfig, UViForActionClassification, UViModel, UViPreTrainedModel


# Official name -> ours, of each part; what follows the name is the same.
PARTS: dict[str, tuple[str, dict[str, str]]] = {
    "pose_encoder": (
        "pose_encoder",
        {
            **{f"dconv_down{stage}": f"stages.{stage - 1}" for stage in (1, 2, 3, 4)},
            **{"lp1": "hidden1", "lp2": "hidden2", "lp3": "points"},
        },
    ),
    "view_encoder": (
        "viewpoint_encoder",
        {"dconv_view_down1": "stages.0", "dconv_view_down2": "stages.1", "lp1": "hidden", "lp2": "camera"},
    ),
    "decoder": (
        "decoder",
        {**{f"dconv_up{stage}": f"stages.{4 - stage}" for stage in (4, 3, 2, 1)}, "lp1": "cells"},
    ),
}
HEAD = {"gru": "head.recurrent", "lp4": "projection", "output_layer2": "head.classifier"}
UNUSED = ("bn1.", "bn2.", "bn3.")  # registered by the official pose encoder, never called
WRAPPERS = ("state_dict", "model", "model_state_dict", "net")


def convert_state_dict(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """Official entries under our names, those of a classifier under the names of `UViForActionClassification`.

    Raises:
        ValueError: an entry has no place.
    """
    inside = "encoder." if is_classifier(official) else ""
    converted, strangers = {}, []
    for key, tensor in official.items():
        part, _, rest = key.partition(".")
        if part in HEAD:
            converted[f"{HEAD[part]}.{rest}"] = tensor
            continue
        ours, names = PARTS.get(part, ("", {}))
        layer, _, leaf = rest.partition(".")
        if layer in names:
            converted[f"{inside}{ours}.{names[layer]}.{leaf}"] = tensor
        elif not (part == "pose_encoder" and rest.startswith(UNUSED)):
            strangers.append(key)
    if strangers:
        raise ValueError(f"These entries are not U-VI's: {', '.join(sorted(strangers)[:8])}.")
    return converted


def is_classifier(official: dict[str, Tensor]) -> bool:
    """Whether the file holds a GRU classifier instead of an auto-encoder."""
    return any(key.startswith("gru.") for key in official)


def build_config(official: dict[str, Tensor]) -> UViConfig:
    """The config of the weights; sizes from shapes.

    Raises:
        ValueError: this is no U-VI, or of another size than 128 x 128 pixels can be.
    """
    try:
        points, cells = official["pose_encoder.lp3.weight"], official["pose_encoder.lp1.weight"]
        channels = [official[f"pose_encoder.dconv_down{stage}.0.weight"].shape[0] for stage in (1, 2, 3, 4)]
        in_channels = official["pose_encoder.dconv_down1.0.weight"].shape[1]
    except KeyError as missing:
        found = ", ".join(sorted(official)[:6])
        raise ValueError(f"This is no U-VI: it has no entry {missing}; there are {found}...") from missing
    side = round((cells.shape[1] / channels[-1]) ** 0.5) * 8
    sizes = {
        "num_points": points.shape[0] // 3,
        "image_size": side,
        "in_channels": in_channels,
        "channels": channels,
        "pose_hidden_sizes": [cells.shape[0], points.shape[1]],
    }
    if not is_classifier(official):
        view = [official[f"view_encoder.dconv_view_down{stage}.0.weight"].shape[0] for stage in (1, 2)]
        sizes |= {"view_channels": view, "view_hidden_size": official["view_encoder.lp1.weight"].shape[0]}
        return UViConfig(official=True, **sizes)
    labels = official["output_layer2.weight"].shape[0]
    return UViConfig(official=True, recurrent_size=official["gru.weight_hh_l0"].shape[1], num_labels=labels, **sizes)


def build_model(official: dict[str, Tensor]) -> UViPreTrainedModel:
    """The model with the official weights; of a classifier's file viewpoint encoder and decoder stay untrained.

    Raises:
        ValueError: entries are missing or have another shape.
    """
    classifier = is_classifier(official)
    model = (UViForActionClassification if classifier else UViModel)(build_config(official))
    own, converted = model.state_dict(), convert_state_dict(official)
    untrained = ("encoder.viewpoint_encoder.", "encoder.decoder.") if classifier else ()
    wrong = sorted(key for key in own.keys() - converted.keys() if not key.startswith(untrained))
    wrong += sorted(key for key in own.keys() & converted.keys() if own[key].shape != converted[key].shape)
    wrong += sorted(converted.keys() - own.keys())
    if wrong:
        raise ValueError(f"The file does not fit U-VI: missing, too many or of another shape: {wrong[:10]}.")
    model.load_state_dict(converted, strict=False)
    return model.eval()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Convert the weights of an official U-VI.")
    parser.add_argument("source", type=Path, help="official .pth file")
    parser.add_argument("output_dir", type=Path, help="folder for the model")
    options = parser.parse_args(arguments)
    try:
        official = read_tensors(options.source, WRAPPERS)
        model = build_model(official)
        model.save_pretrained(options.output_dir)
        again = type(model).from_pretrained(options.output_dir).state_dict()
        assert all(torch.equal(tensor, again[key]) for key, tensor in model.state_dict().items())
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(official)} entries, {model.config.num_points} points, {model.config.image_size} pixels a side")
    print(f"saved to {options.output_dir} as {type(model).__name__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
