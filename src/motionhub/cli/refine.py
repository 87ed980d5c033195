"""`motionhub refine`: the part of the command line that mends skeleton files.

It computes nothing itself (`motionhub.pipelines.pose_refinement`). Every import that costs time is inside the command.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_command(commands: Any, add_read_options: Callable[[argparse.ArgumentParser], None]) -> None:
    """Adds the command to the subparsers of `motionhub`; the options for reading files are the caller's."""
    refine = commands.add_parser(
        "refine",
        help="mend a skeleton file, or make one of several pose estimators' of the same video",
        description="Outliers, exchanged sides, gaps and jitter of one file; several files are the same video by "
        "several pose estimators and are aggregated first (SST-A), the one you trust most given first.",
    )
    refine.add_argument("files", nargs="+", metavar="FILE", help="any readable file, one per pose estimator")
    refine.add_argument("-o", "--output", required=True, metavar="OUT", help="new file; its suffix tells the format")
    what = "what to do, in this order (default: swaps outliers gaps savitzky-golay); none: only aggregate"
    names = ("swaps", "outliers", "gaps", "savitzky-golay", "one-euro", "none")
    refine.add_argument("--steps", nargs="+", default=None, choices=names, metavar="STEP", help=what)
    rules = refine.add_mutually_exclusive_group()
    order = "the released code's rule; FILEs are AlphaPose, LCR-Net, OpenPose"
    rules.add_argument("--official", action="store_true", help=order)
    rules.add_argument("--paper", action="store_true", help="the paper's rule: frames of low confidence are discarded")
    report = "also write OUT.report.json and, of the joint that changed most, OUT.worst_joint.png"
    refine.add_argument("--report", action="store_true", help=report)
    add_read_options(refine)
    refine.set_defaults(run=_refine)


def _refine(arguments: argparse.Namespace) -> int:
    from motionhub.data.formats.formats import find_writer, write
    from motionhub.pipelines.pose_refinement import DEFAULT_STEPS, refine
    from motionhub.pipelines.skeleton_pipeline import as_sequence

    out = Path(arguments.output)
    find_writer(out)  # a suffix that nobody writes, or a file that is there, is said before the work
    if out.exists():
        raise ValueError(f"{out} exists and is not overwritten; choose another name, or remove it.")
    size = None if arguments.image_size is None else tuple(arguments.image_size)
    facts = {"layout": arguments.layout, "fps": arguments.fps, "unit": arguments.unit, "image_size": size}
    clips = [as_sequence(file, **facts) for file in arguments.files]
    steps = DEFAULT_STEPS if arguments.steps is None else [step for step in arguments.steps if step != "none"]
    options = {"steps": steps, "official": arguments.official, "paper": arguments.paper}
    motion, report = refine(clips, **options, return_report=True)
    for row, file in zip(report.get("experts", ()), arguments.files, strict=False):
        row["name"] = file
    write(motion, out)
    _print(report)
    print(f"{out}: people {motion.num_people}, frames {motion.num_frames}, layout {motion.layout.name}")
    if arguments.report:
        _save_report(report, clips, motion, out)
    return 0


def _print(report: dict[str, Any]) -> None:
    for row in report.get("experts", ()):
        print(
            f"expert {row['name']}: coverage {row['coverage']:.1%}, jitter {_number(row['jitter'])}, "
            f"picked {row['picked']:.1%}"
        )
    if "confidence" in report:
        values = [value for person in report["confidence"] for value in person]
        print(f"confidence: mean {sum(values) / len(values):.2f}, least {min(values):.2f}")
    counts = f"moved {report['moved']}, filled {report['filled']}, hidden {report['hidden']}"
    unit = report["unit"]
    print(f"joints changed: {report['joints_changed']:.1%} ({counts})")
    print(f"mean change:    {_number(report['mean_change'])} {unit}; most: {report['worst_joint']}")
    print(f"coverage:       {report['coverage_before']:.1%} -> {report['coverage_after']:.1%}")
    print(f"jitter:         {_number(report['jitter_before'])} -> {_number(report['jitter_after'])} {unit}")


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"


def _save_report(report: dict[str, Any], clips: list[Any], motion: Any, out: Path) -> None:
    from motionhub.poses.experts import reconcile

    written = Path(f"{out}.report.json")
    written.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"saved: {written}")
    before = clips[0] if len(clips) == 1 else reconcile(clips, motion.layout)[0]
    try:
        from motionhub.visualization.refinement import plot_refinement

        picture = Path(f"{out}.worst_joint.png")
        plot_refinement(before, motion, report["worst_joint"], picture, person=report["worst_person"])
        print(f"drawn: {picture}")
    except ImportError as error:  # the motion and its report are there; pictures are an extra
        print(f"motionhub: note: no picture: {error}", file=sys.stderr)
