"""What a zero-shot model says of real videos: eight labels each, of which the right ones are marked by looking.

    motionhub poses VIDEOS/*.mp4 VIDEOS/*.avi -o poses
    python benchmarks/zero_shot_videos.py --poses poses --model hub_configs/tmor-small

Prints a table: video, what is to be seen, and of each person seen for most of the video the first three answers.
That of the shipped weights is in zero_shot_videos.md.
"""

import argparse
import sys
from pathlib import Path

from transformers import pipeline

import motionhub
from motionhub.cli.main import handle_cli_errors
from motionhub.skeletons.sequence import SkeletonSequence


# Video -> what it shows, the labels that are right, and the others.
VIDEOS = {
    "felix_exercise": ("three people exercise: arms to the side and up, lunges",
                       ("arm raises", "aerobics", "side lunge"),
                       ("walk", "sit down", "fall down", "punch", "drink water")),
    "lia_taichi1": ("a man stands, then lifts and lowers his arms slowly",
                    ("tai chi", "raise both arms slowly"),
                    ("walk", "sit down", "clap", "kick", "throw a ball", "drink water")),
    "mma_demo": ("two people arm-wrestle, seen from the chest up",
                 ("arm wrestling",),
                 ("shake hands", "drink water", "clap", "punch", "wave", "read a book", "walk")),
    "p2s_multi_cam": ("a man balances on a beam of mats and turns, another stands beside him",
                      ("walk on a beam", "keep the balance", "stand still"),
                      ("sit down", "fall down", "drink water", "punch", "wave")),
    "pyskl_ntu_sample": ("two people step together and hug",
                         ("hug",),
                         ("shake hands", "push somebody", "punch", "sit down", "drink water", "kick", "wave")),
    "stgcn_ta_chi": ("a man does tai chi in a deep stance, then lifts his arms overhead",
                     ("tai chi", "lunge", "raise both arms slowly"),
                     ("walk", "sit down", "fall down", "clap", "drink water")),
}  # fmt: skip
SHOWN, SEEN = 3, 0.5


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True, help="folder of `motionhub poses`")
    parser.add_argument("--model", default="hub_configs/tmor-small")
    chosen = parser.parse_args(argv)
    pipe = pipeline("zero-shot-action-classification", model=chosen.model)
    print("| video | to be seen | person | said (right ones are bold) |\n|---|---|---|---|")
    for path in sorted(chosen.poses.glob("*.npz")):
        name = next((each for each in VIDEOS if path.stem.startswith(each)), None)
        if name is None:
            continue
        shown, right, others = VIDEOS[name]
        for number, person in seen_people(motionhub.read(path)[0]):
            said = pipe(person, candidate_labels=[*right, *others], top_k=SHOWN)[0]["scores"]
            words = ", ".join(marked(each["label"], each["score"], right) for each in said)
            print(f"| {path.stem} | {shown} | {number} | {words} |")


def marked(label: str, score: float, right: tuple[str, ...]) -> str:
    return f"**{label}** {score:.2f}" if label in right else f"{label} {score:.2f}"


def seen_people(clip: SkeletonSequence) -> list[tuple[int, SkeletonSequence]]:
    """The people who are there in at least half of the frames."""
    there = clip.joint_mask.any(-1).mean(1)
    tracks = clip.track_ids or range(clip.num_people)
    return [(int(tracks[each]), clip.person(each)) for each in range(clip.num_people) if there[each] >= SEEN]


if __name__ == "__main__":
    sys.exit(handle_cli_errors(lambda: main(sys.argv[1:])))
