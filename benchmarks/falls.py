"""Which generated falls a zero-shot model calls a fall, and which other motions: from five sides, in 2-D and in 3-D.

    python benchmarks/falls.py --model hub_configs/tmor-small

The seeds are none of those that tmor-small learns from; the motions are. "Lying after it" holds the last pose, with a
sensor's noise, for 2.6 seconds.
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np
from transformers import pipeline

from motionhub.cli.main import handle_cli_errors
from motionhub.data.synthetic.generate import generate
from motionhub.data.synthetic.phrases import captioned_motions
from motionhub.data.views.cameras import project_to_pixels
from motionhub.runtime.zero_shot import turned_about_y
from motionhub.skeletons.sequence import SkeletonSequence


LABELS = ("fall down", "sit down", "stand up", "walk", "lie down", "bend forward")
FALLS = ("fall", "fall forward", "fall to the side", "faint", "fall from a chair")
OTHERS = ("sit down", "bend forward", "lie down", "tie shoelaces", "pick up with one hand")
SIDES = (0, 45, 90, 135, 180)
SEED, SECONDS_AFTER = 5000, 2.6


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="hub_configs/tmor-small")
    parser.add_argument("--seeds", type=int, default=2, help="clips of a motion, side and kind")
    chosen = parser.parse_args(argv)
    pipe = pipeline("zero-shot-action-classification", model=chosen.model)
    print(f"| motion | {' | '.join(KINDS)} |\n|{'---|' * (len(KINDS) + 1)}")
    for name in (*FALLS, *OTHERS):
        cells = []
        for kind in KINDS:
            named = [answer(pipe, clip) for clip in clips_of(name, kind, chosen.seeds)]
            cells.append(f"{named.count(LABELS[0])} of {len(named)}")
        print(f"| {name} | {' | '.join(cells)} |")


def answer(pipe, clip: SkeletonSequence) -> str:
    """The label that the pipeline gives with its defaults, "none of these" among them."""
    (person,) = pipe(clip, candidate_labels=list(LABELS), top_k=1)
    return str(person["scores"][0]["label"])


KINDS = ("2-D", "3-D", "2-D and lying after it", "3-D and lying after it")


def clips_of(name: str, kind: str, seeds: int) -> Iterator[SkeletonSequence]:
    """Clips of a motion from all sides."""
    motion = next(each.motion for each in captioned_motions() if each.phrases[0] == name)
    for side in SIDES:
        for seed in range(SEED, SEED + seeds):
            clip = generate(motion, seed=seed)
            clip = project_to_pixels(clip, side) if kind.startswith("2-D") else turned_about_y(clip, side)
            yield held(clip, seed) if "lying" in kind else clip


def held(clip: SkeletonSequence, seed: int) -> SkeletonSequence:
    """The last pose for `SECONDS_AFTER` more, with noise of 3 mm or one pixel."""
    count = round(SECONDS_AFTER * clip.fps)
    shape = (clip.num_people, count, clip.num_joints, clip.num_dims)
    noise = np.random.default_rng(seed).normal(0, 0.003 if clip.unit == "metre" else 1, shape)
    after = np.repeat(clip.keypoints[:, -1:], count, 1) + noise
    return clip.replace(keypoints=np.concatenate([clip.keypoints, after], 1).astype(np.float32), confidence=None)


if __name__ == "__main__":
    sys.exit(handle_cli_errors(lambda: main(sys.argv[1:])))
