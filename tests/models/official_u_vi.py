"""The official U-VI's entries with the deterministic fill of the golden files."""

import itertools

from official_unik import probe
from torch import Tensor


Shapes = dict[str, tuple[int, ...]]


def convolution(name: str, outputs: int, inputs: int, kernel: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)}


def linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name: str, channels: int) -> Shapes:
    vectors = {f"{name}.{leaf}": (channels,) for leaf in ("weight", "bias", "running_mean", "running_var")}
    return {**vectors, f"{name}.num_batches_tracked": ()}


def pose_encoder(points: int, channels: list[int], hidden: list[int], cells: int) -> Shapes:
    shapes: Shapes = {}
    for stage, (before, after) in enumerate(zip([3, *channels], channels, strict=False), start=1):
        name = f"dconv_down{stage}"
        shapes |= convolution(f"{name}.0", after, before, 3) | norm(f"{name}.1", after)
        shapes |= convolution(f"{name}.3", after, after, 3)
        if stage < len(channels):  # the last stage has no second norm
            shapes |= norm(f"{name}.4", after)
    sizes = [cells * channels[-1], *hidden, 3 * points]
    for layer, (before, after) in enumerate(itertools.pairwise(sizes), start=1):
        shapes |= linear(f"lp{layer}", after, before) | norm(f"bn{layer}", after)
    return shapes


def view_encoder(channels: list[int], hidden: int, cells: int) -> Shapes:
    shapes: Shapes = {}
    for stage, (before, after) in enumerate(zip([3, *channels], channels, strict=False), start=1):
        name = f"dconv_view_down{stage}"
        for index, inputs in ((0, before), (3, after)):
            shapes |= convolution(f"{name}.{index}", after, inputs, 5) | norm(f"{name}.{index + 1}", after)
    return shapes | linear("lp1", hidden, channels[-1] * cells) | linear("lp2", 6, hidden)


def decoder(points: int, channels: list[int], cells: int) -> Shapes:
    shapes = linear("lp1", cells * channels[-1], 3 * points)
    for stage, (before, after) in enumerate(zip([3, *channels], channels, strict=False), start=1):
        # The deepest stage convolves, the others are transposed convolutions: their weights are (in, out, 3, 3).
        first = (before, after) if stage == len(channels) else (after, before)
        name = f"dconv_up{stage}"
        shapes |= {f"{name}.0.weight": (*first, 3, 3), f"{name}.0.bias": (before,)} | norm(f"{name}.1", before)
        shapes |= convolution(f"{name}.3", before, before, 3) | norm(f"{name}.4", before)
    return shapes


def classifier_head(points: int, recurrent: int, labels: int) -> Shapes:
    shapes: Shapes = {}
    for layer, inputs in enumerate((3 * points, 2 * recurrent)):
        for suffix in ("", "_reverse"):
            shapes |= {
                f"gru.weight_ih_l{layer}{suffix}": (3 * recurrent, inputs),
                f"gru.weight_hh_l{layer}{suffix}": (3 * recurrent, recurrent),
                f"gru.bias_ih_l{layer}{suffix}": (3 * recurrent,),
                f"gru.bias_hh_l{layer}{suffix}": (3 * recurrent,),
            }
    return shapes | linear("lp4", 3 * points, 3 * points) | linear("output_layer2", labels, 2 * recurrent)


def prefixed(prefix: str, entries: dict) -> dict:
    return {f"{prefix}.{key}": value for key, value in entries.items()}


def auto_encoder_entries() -> dict[str, Tensor]:
    """Each network filled on its own, as the golden arrays were made."""
    channels = [64, 128, 256, 512]
    parts = {
        "pose_encoder": pose_encoder(70, channels, [1024, 512], 256),
        "view_encoder": view_encoder([128, 128], 256, 9),
        "decoder": decoder(70, channels, 256),
    }
    return {key: value for part, shapes in parts.items() for key, value in prefixed(part, probe(shapes)).items()}


def small_entries(*, labels: int | None = None) -> dict[str, Tensor]:
    """Of 5 points and 64 pixels: the auto-encoder, or with `labels` the classifier."""
    channels = [4, 6, 8, 10]
    encoder = prefixed("pose_encoder", pose_encoder(5, channels, [12, 9], 64))
    if labels is not None:
        return probe(encoder | classifier_head(5, 7, labels))
    view = prefixed("view_encoder", view_encoder([6, 6], 11, 1))
    return probe(encoder | view | prefixed("decoder", decoder(5, channels, 64)))


def classifier_entries() -> dict[str, Tensor]:
    encoder = prefixed("pose_encoder", pose_encoder(70, [64, 128, 256, 512], [1024, 512], 256))
    return probe(encoder | classifier_head(70, 512, 60))
