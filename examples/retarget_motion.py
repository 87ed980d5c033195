"""Motion retargeting: one person's motion on the body (or in the view) of another, with errors and a GIF.

    python conversion/aberman2019.py pretrained_view.pth retarget-view-aberman
    python examples/retarget_motion.py openpose/workout_march openpose/small_man --model retarget-view-aberman \
        --fps 30 --image_size 720 720

Source and target are any files that `motionhub.read` reads; --fps, --unit, --layout and --image_size are for files
without this metadata. A checkpoint of variant "full" takes the view from a third motion: --view. --bone_factors
leg=1.2 arm=0.9 scales bones by limb or joint, after retargeting or, without a target, instead of it.
"""

import argparse
import sys
from pathlib import Path

from transformers import pipeline

import motionhub


def factor(word: str) -> tuple[str, float]:
    limb, _, number = word.partition("=")
    return limb, float(number)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", help="the motion")
    parser.add_argument("target", nargs="?", help="the body; not needed to change only bones or view")
    parser.add_argument("--view", help='the view (variant "full")')
    parser.add_argument(
        "--bone_factors", nargs="+", type=factor, default=[], metavar="LIMB=FACTOR", help="leg=1.2 ..."
    )
    parser.add_argument("--model", required=True, help="a folder made by conversion/aberman2019.py")
    parser.add_argument("--output", default="retargeted.npz", help="the new motion: .npz, .csv, or an OpenPose folder")
    parser.add_argument("--gif", default="retargeted.gif", help='"" for none')
    parser.add_argument("--fps", type=float)
    parser.add_argument("--unit")
    parser.add_argument("--layout")
    parser.add_argument("--image_size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"))
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    options = parse(argv)
    size = tuple(options.image_size) if options.image_size else None
    facts = {"fps": options.fps, "unit": options.unit, "layout": options.layout, "image_size": size}
    paths = {"motion": options.source, "body": options.target, "view": options.view}
    clips = {role: motionhub.as_motion(path, **facts) for role, path in paths.items() if path is not None}

    pipe = pipeline("motion-retargeting", model=options.model)
    source, target, view = (clips.get(role) for role in paths)
    result, report = pipe(source, target, view=view, bone_factors=dict(options.bone_factors), return_report=True)
    print(motionhub.write(result, options.output))

    print(f"{'':24}{'source':>10}{'result':>10}")
    for person in report:
        print(f"person {person['track_id']}")
        for name, what in (("bone_length_error", "bone length error"), ("foot_sliding", "foot sliding")):
            before, after = person[f"{name}_of_source"], person[name]
            shown = "".join(f"{'-' if value is None else format(value, '.3f'):>10}" for value in (before, after))
            print(f"  {what:22}{shown}")
    print("bones: mean relative difference from the proportions of the target (none: of the source)")
    print("feet: body sizes per second while standing")

    if options.gif:
        titles = [f"{role}: {Path(paths[role]).stem}" for role in clips]
        print(motionhub.animate_side_by_side([*clips.values(), result], options.gif, titles=[*titles, "result"]))


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
