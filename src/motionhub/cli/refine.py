"""`motionhub refine`: repairs skeleton files."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from motionhub.cli.options import Fps, ImageSize, Layout, Step, Unit, steps_of
from motionhub.cli.report import check_new, optional_images, save_json


_STEPS = "Of swaps, outliers, gaps, savitzky-golay (these by default), one-euro, in this order; none: only aggregate"


def refine(
    files: Annotated[list[str], Argument(metavar="FILE", help="Any readable file, one per pose estimator")],
    *,
    output: Annotated[Path, Option("-o", "--output", help="New file; its suffix tells the format")],
    steps: Annotated[list[Step] | None, Option(metavar="STEP...", help=_STEPS)] = None,
    official: Annotated[bool, Option(help="The released code's rule; FILEs are AlphaPose, LCR-Net, OpenPose")] = False,
    paper: Annotated[bool, Option(help="The paper's rule: frames of low confidence are discarded")] = False,
    report: Annotated[bool, Option(help="Also OUT.report.json and, of the worst joint, OUT.worst_joint.png")] = False,
    layout: Layout = None,
    fps: Fps = None,
    unit: Unit = None,
    image_size: ImageSize = None,
) -> None:
    """Repair a skeleton file, or make one of several pose estimators' of the same video.

    Outliers, left/right swaps, gaps and jitter of one file; several files are the same video by several pose
    estimators and are aggregated first (SST-A), the one you trust most given first.
    """
    from motionhub.data.formats.formats import write
    from motionhub.pipelines import pose_refinement
    from motionhub.pipelines.skeleton_pipeline import as_sequence

    if official and paper:
        raise typer.BadParameter("--official and --paper are two rules; give one of them.")
    check_new(output)
    clips = [as_sequence(file, layout=layout, fps=fps, unit=unit, image_size=image_size) for file in files]
    rule: dict[str, Any] = {"official": official, "paper": paper}
    chosen = steps_of(steps or [Step.DEFAULT])
    motion, found = pose_refinement.refine(clips, steps=chosen, **rule, return_report=True)
    for row, file in zip(found.get("experts", ()), files, strict=False):
        row["name"] = file
    write(motion, output)
    _print(found)
    print(f"{output}: people {motion.num_people}, frames {motion.num_frames}, layout {motion.layout.name}")
    if report:
        _save_report(found, clips, motion, output)


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

    save_json(report, f"{out}.report.json")
    print(f"saved: {out}.report.json")
    before = clips[0] if len(clips) == 1 else reconcile(clips, motion.layout)[0]
    with optional_images():
        from motionhub.visualization.plots import plot_refinement

        image = Path(f"{out}.worst_joint.png")
        plot_refinement(before, motion, report["worst_joint"], image, person=report["worst_person"])
        print(f"drawn: {image}")
