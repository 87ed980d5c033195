"""Clips per second and peak memory of each encoder, and what zero-shot scoring costs with 60 and with 1,000 labels.

    taskset -c 0 python benchmarks/feature_extraction.py [--repeats 3] [--device cpu] [--encoders slow-r50 ...]

Every encoder runs in a process of its own, on one clip at a time and on four. All weights but those of tmor-small and
MiniLM are random of the official sizes, which changes no time. Seconds are of this process (one thread), fastest call;
with --device cuda wall-clock time of synchronised calls. Texts of towers: text_towers.py. Zero-shot: a synthetic clip
of ten seconds; the first call with a label set encodes each of its texts once, later ones none, which is counted.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measuring import command_line, fastest, machine, megabytes, rows_of_processes
from torch import Tensor, nn


BUNDLED = Path(__file__).resolve().parent.parent / "hub_configs" / "tmor-small"
Made = tuple[nn.Module, Callable[[int], Any], str]
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "patch_size": 14}


def images(frames: int, size: int) -> Callable[[int], Tensor]:
    return lambda clips: torch.randn(clips, frames, 3, size, size)


def unik() -> Made:
    from motionhub.models.unik import UnikConfig, UnikModel

    model = UnikModel(UnikConfig())
    return model, lambda clips: torch.randn(clips, 2, 150, 17, 2), "2 people, 150 frames, 17 joints"


def tmor_small() -> Made:
    from transformers import AutoModel

    import motionhub.auto  # noqa: F401

    model = AutoModel.from_pretrained(BUNDLED)
    return model, lambda clips: torch.randn(clips, 1, 75, 15, 2), "1 person, 75 frames, 15 joints"


def viclip(large: bool) -> Made:
    from motionhub.models.vi_clip import ViClipConfig, ViClipModel

    text = {"hidden_size": 768, "num_attention_heads": 12, "projection_dim": 768}
    sizes = {"vision_config": {**LARGE, "projection_dim": 768}, "text_config": text} if large else {}
    model = ViClipModel(ViClipConfig(**sizes))
    model.text_tower = None
    model.forward = model.get_video_features  # type: ignore[method-assign]
    return model, images(8, 224), "8 frames of 224 x 224, joint attention"


def of_images(family: str) -> Made:
    import transformers

    config = getattr(transformers, f"{family}Config")(vision_config={"patch_size": 16} if family == "Siglip" else {})
    model = getattr(transformers, f"{family}Model")(config)
    model.text_model = None
    model.forward = lambda clips: model.get_image_features(pixel_values=clips.flatten(0, 1))
    return model, images(8, 224), "8 frames of 224 x 224, one by one"


def slow_r50() -> Made:
    from motionhub.models.r3d import R3dConfig, R3dModel

    return R3dModel(R3dConfig()), images(8, 224), "8 frames of 224 x 224"


ENCODERS: dict[str, Callable[[], Made]] = {
    "unik": unik,
    "tmor-small": tmor_small,
    "viclip-b16": lambda: viclip(False),
    "viclip-l14": lambda: viclip(True),
    "clip-b32": lambda: of_images("CLIP"),
    "siglip-b16": lambda: of_images("Siglip"),
    "slow-r50": slow_r50,
}
LABELS = {"zero-shot-60": 60, "zero-shot-1000": 1000}


def seconds_of(call: Callable[[], object], repeats: int, device: str) -> float:
    """Of the fastest call."""

    def synchronised() -> None:
        call()
        if device != "cpu":
            torch.cuda.synchronize()

    clock = time.process_time if device == "cpu" else time.perf_counter
    return fastest({"": synchronised}, repeats, clock, warm_up=False)[""]


@torch.inference_mode()
def measure_encoder(name: str, repeats: int, device: str) -> dict[str, Any]:
    before = megabytes()
    model, made, note = ENCODERS[name]()
    model.eval().to(device)
    rates = {}
    for clips in (1, 4):
        batch = made(clips).to(device)
        model(batch)
        rates[clips] = clips / seconds_of(lambda batch=batch: model(batch), repeats, device)
    peak = megabytes() if device == "cpu" else torch.cuda.max_memory_allocated() / 2**20
    parameters = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    return {"parameters": parameters, "rates": rates, "peak": peak, "before": before, "note": note}


def measure_labels(count: int, repeats: int, device: str) -> dict[str, Any]:
    from transformers import pipeline

    import motionhub  # noqa: F401
    from motionhub.data.synthetic.generate import generate
    from motionhub.towers.text_towers import load_text_tower

    before = megabytes()
    pipe = pipeline("zero-shot-action-classification", model=str(BUNDLED), device=device)
    clip, labels = generate("wave", seed=0, num_frames=300), [f"walk {number} steps" for number in range(count)]
    loaded, encoded = load_text_tower(pipe.text_tower)._load(), []
    whole = loaded.embed
    loaded.embed = lambda texts: encoded.extend(texts) or whole(texts)
    seconds = [seconds_of(lambda: pipe(clip, candidate_labels=labels), times, device) for times in (1, repeats)]
    texts = len(encoded)
    plain = seconds_of(lambda: pipe(clip, candidate_labels=labels[:1]), repeats + 1, device)
    note = f"{count} labels: first call {seconds[0]:.2f} s ({texts} texts encoded in all calls), later "
    note += f"{1000 * seconds[1]:.0f} ms; with one label {1000 * plain:.0f} ms"
    parameters = sum(p.numel() for p in [*pipe.model.parameters(), *loaded.module.parameters()]) / 1e6
    return {
        "parameters": parameters,
        "rates": {1: 1 / seconds[1], 4: 1 / seconds[1]},
        "peak": megabytes(),
        "before": before,
        "note": note,
    }


def main() -> None:
    parser = command_line(__doc__, 3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--encoders", nargs="+", default=[*ENCODERS, *LABELS], choices=[*ENCODERS, *LABELS])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        measure = measure_labels if chosen.one in LABELS else measure_encoder
        print(json.dumps(measure(LABELS.get(chosen.one, chosen.one), chosen.repeats, chosen.device)))
        return
    print(f"{machine()}; device {chosen.device}")
    print("| encoder | M parameters | clips/s, one at a time | four at a time | peak MB (of it before) | |")
    print("|---" * 6 + "|")
    words = ["--repeats", str(chosen.repeats), "--device", chosen.device]
    for name, row in rows_of_processes(__file__, chosen.encoders, words):
        if isinstance(row, str):
            print(f"| {name} | {row} |")
            continue
        rates = " | ".join(f"{rate:.2f}" for rate in row["rates"].values())
        peaks = f"{row['peak']:.0f} ({row['before']:.0f})"
        print(f"| {name} | {row['parameters']:.1f} | {rates} | {peaks} | {row['note']} |", flush=True)


if __name__ == "__main__":
    main()
