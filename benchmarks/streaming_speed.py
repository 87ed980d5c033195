"""Cost per new frame of segmentation: the stream, against a forward pass of the whole window.

    python benchmarks/streaming_speed.py                             # speed and work of unik-precog-small
    python benchmarks/streaming_speed.py --recordings FILE [FILE ...]  # also how often the labels agree
    python benchmarks/streaming_speed.py --exported FOLDER           # of motionhub export --stream: the graph's speed
    python benchmarks/streaming_speed.py --coco                      # of the same layers for 17 joints, random weights

One thread, its processor time; the best of the repeats counts. Work is in multiply-adds, as torch counts them.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import motionhub


def best_ms(function: Callable[[], Any], repeats: int) -> float:
    """Milliseconds of the fastest call."""
    found = []
    for _ in range(repeats):
        start = time.thread_time()
        function()
        found.append(time.thread_time() - start)
    return 1000 * min(found)


def multiply_adds(function: Callable[[], Any]) -> float:
    """Of one call."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() / 2


def agreement(model: Any, keypoints: torch.Tensor, window: int) -> float:
    """Share of frames with the same label as windows every half window, of `(people, frames, joints, dims)`."""
    offline = model.predict_windows(keypoints[None], window=window, hop=window // 2)[0]
    stream = motionhub.StreamingSegmenter(model, context=window)
    online = torch.cat([stream.add(keypoints), stream.finish()])
    return float((offline.argmax(-1) == online.argmax(-1)).float().mean())


def report_exported(folder: str, repeats: int) -> None:
    """Of a graph, one step after the other; its work is that of the step in torch."""
    stream = motionhub.ExportedStream(folder, threads=1)
    people, joints, dims = stream.shape
    size = stream.facts["frames"]
    frames = torch.randn(people, size, joints, dims).numpy()
    ms = best_ms(partial(stream.add, frames), repeats) / size
    print(f"exported, {size} frames a step: {ms:.3f} ms per new frame, delay {stream.delay} frames")


def step_work(model: Any, window: int) -> float:
    """Multiply-adds per new frame of the step that is exported."""
    step = motionhub.StreamingStep(model, context=window)
    state = [torch.zeros(shape) for shape in step.shapes.values()]
    frames = torch.randn(step.people, step.frames, model.config.num_joints, model.config.in_channels)
    given = (frames, torch.tensor([0]), torch.tensor([10**6]), *state)
    return multiply_adds(partial(step, *given)) / step.frames


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="motionhub/unik-precog-small")
    parser.add_argument("--windows", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--recordings", nargs="*", default=[])
    parser.add_argument("--exported", metavar="FOLDER")
    parser.add_argument("--coco", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, processor = motionhub.load_checkpoint(options.model, motionhub.AutoModelForActionSegmentation)
    if options.coco:
        sizes = {**model.config.to_dict(), "layout": "coco-17", "num_joints": 17}
        model = type(model)(type(model.config).from_dict(sizes)).eval()
    joints, dims = model.config.num_joints, model.config.in_channels
    frame = torch.randn(1, 4, joints, dims)
    for window in options.windows:
        clip = torch.randn(1, 1, window, joints, dims)
        stream = motionhub.StreamingSegmenter(model, context=window)
        stream.add(clip[0])
        per_frame = best_ms(partial(stream.add, frame), options.repeats) / 4
        whole = best_ms(partial(model, clip), options.repeats)
        work, new = multiply_adds(partial(model, clip)), step_work(model, window)
        print(
            f"window {window}: {whole:.2f} ms to recompute it, {per_frame:.3f} ms per new frame "
            f"({whole / per_frame:.0f} times less); multiply-adds {work / 1e6:.1f} M and {new / 1e6:.3f} M "
            f"({work / new:.0f} times less)"
        )
    print(f"delay {stream.delay} frames, receptive field {stream.receptive_field} frames")
    if options.exported:
        report_exported(options.exported, options.repeats)
    for path in options.recordings:
        for sequence in motionhub.read(path):
            keypoints = processor(sequence)["keypoints"][0]
            print(f"{path}: {agreement(model, keypoints, options.windows[0]):.1%} of frames have the same label")


if __name__ == "__main__":
    main()
