"""Name what two people do, and draw it: the shortest way through the library, on a motion of our own making.

    python examples/quickstart.py                            # two synthetic people
    python examples/quickstart.py --input clip.json          # a skeleton file of yours, any readable format

It runs without a network: the checkpoint lies in this repository. It was trained on real Kinect recordings
(Northwestern-UCLA) and has never seen a synthetic motion.
"""

import argparse
import sys
from pathlib import Path

from transformers import pipeline
from transformers.utils.logging import disable_progress_bar

import motionhub
from motionhub.cli import reported
from motionhub.data.synthetic import generate
from motionhub.visualization.animate import animate
from motionhub.visualization.draw import skeleton_strip


CHECKPOINT = Path(__file__).resolve().parent.parent / "hub_configs" / "unik-nucla-small"


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--input", default=None, help="a skeleton file; two synthetic people when left out")
    parser.add_argument("--model", default=str(CHECKPOINT), help="folder or Hub id of an action classifier")
    parser.add_argument("--output_dir", type=Path, default=Path("demo_output"))
    arguments = parser.parse_args(words)
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    disable_progress_bar()

    if arguments.input is None:
        clip = generate("sit down", second_person="throw", seed=2, num_frames=75)
        print("Two synthetic people: person 0 sits down, person 1 throws something.")
    else:
        clip = motionhub.read(arguments.input)[0]

    people = pipeline("action-classification", model=arguments.model)(clip, top_k=3)
    labels = ["not seen"] * clip.num_people
    for person in people:
        print(f"\nperson {person['track_id']} ({person['coverage']:.0%} of the joints seen)")
        for entry in person["scores"]:
            print(f"  {entry['score']:6.1%}  {entry['label']}")
        best = person["scores"][0]
        labels[clip.track_ids.index(person["track_id"])] = f"{best['label']} {best['score']:.0%}"

    gif = animate(clip, arguments.output_dir / "demo.gif", labels=labels, view=(60, 10))
    picture = arguments.output_dir / "demo.png"
    skeleton_strip(clip, picture, num_frames=8, view=(60, 10), title="  |  ".join(labels))
    print(f"\ndrawn: {gif} and {picture}")


if __name__ == "__main__":
    sys.exit(reported(lambda: main(sys.argv[1:])))
