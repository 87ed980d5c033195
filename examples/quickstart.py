"""Say in your own words what two people may be doing, and get who does what when, with pictures.

    python examples/quickstart.py                                       # two synthetic people, ten seconds
    python examples/quickstart.py --input clip.json --labels "sit down, wave, fall down"

It runs without a network: checkpoint and text vectors lie in this repository. The two people are drawn by a generator
that the model learned from too, among recordings. Labels that its bank of phrases lacks need the text tower, and the
error says which.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from transformers import pipeline
from transformers.utils.logging import disable_progress_bar

import motionhub
from motionhub.cli.predict import labels_over_time
from motionhub.data.synthetic.generate import Scene, compose
from motionhub.visualization.animate import animate
from motionhub.visualization.plots import plot_ribbon


CHECKPOINT = Path(__file__).resolve().parent.parent / "hub_configs" / "tmor-small"
LABELS = "walk, sit down, stand up, wave, clap, squat, kick, pick up with one hand"
DONE = (("kick", "wave", "walk around"), ("sit down", "stand up", "clap"))


def two_people(fps: float = 30.0, seconds: float = 10.0) -> motionhub.SkeletonSequence:
    """Each does three things, one after the other."""
    people = []
    for place, actions in zip((-0.8, 0.8), DONE, strict=True):
        scene = Scene(place=(place, 0.0), heading=15.0 * np.sign(place))
        clip, _ = compose(actions, seed=3, scene=scene, fps=fps, pause=0.5)
        held = np.minimum(np.arange(round(seconds * fps)), clip.num_frames - 1)
        people.append(clip.keypoints[0, held])
    return motionhub.SkeletonSequence(np.stack(people), layout="kinect-20", fps=fps, unit="metre")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--input", default=None, help="a skeleton file; two synthetic people when left out")
    parser.add_argument("--labels", default=LABELS, help="what people may be doing, with commas")
    parser.add_argument("--model", default=str(CHECKPOINT), help="folder or Hub id of a zero-shot model")
    parser.add_argument("--output_dir", type=Path, default=Path("demo_output"))
    arguments = parser.parse_args(argv)
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    disable_progress_bar()
    clip = two_people() if arguments.input is None else motionhub.read(arguments.input)[0]
    if arguments.input is None:
        told = (f"person {person}: {', '.join(actions)}" for person, actions in enumerate(DONE))
        print(f"Two synthetic people. {'; '.join(told)}. Asked for: {arguments.labels}")

    name = pipeline("zero-shot-action-classification", model=arguments.model)
    for person in name(clip, candidate_labels=arguments.labels, top_k=3, none_label=None):
        scores = ", ".join(f"{entry['label']} {entry['score']:.0%}" for entry in person["scores"])
        print(f"person {person['track_id']} ({person['coverage']:.0%} of the joints seen), all in all: {scores}")
    find = pipeline("zero-shot-action-segmentation", model=name.model, feature_extractor=name.feature_extractor)
    rows = find(clip, candidate_labels=arguments.labels, background=["stand still"])
    for row in rows:
        print(f"person {row['track_id']}  {row['start_s']:5.1f} s to {row['end_s']:5.1f} s  {row['label']}")

    ribbon = plot_ribbon(rows, arguments.output_dir / "demo.png", duration=clip.duration)
    view = (0, 5) if clip.num_dims == 3 else "front"
    gif = animate(
        clip, arguments.output_dir / "demo.gif", frame_labels=labels_over_time(rows, clip), fps=15, view=view
    )
    print(f"drawn: {ribbon} and {gif}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
