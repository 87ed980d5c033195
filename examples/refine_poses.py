"""SSTA-PRS: several pose estimators teach a student on a video without labels; prints its scores before and after.

    python examples/refine_poses.py --video tai_chi.mp4 --experts alphapose.json openpose_folder mediapipe
    python examples/refine_poses.py --video tai_chi.mp4 --experts mediapipe.npz --student vitpose

--experts are files that `motionhub.read` reads, or names of estimators, the most trusted first. A single expert is
replaced by two noisy copies and is the reference; otherwise SST-A is the reference, which is not the ground truth.
--student is lcr-net or vitpose (small, random weights, first trained on the first expert) or an LcrNetModel's folder.
"""

import argparse
import sys
from pathlib import Path

from transformers import AutoModel, VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

import motionhub
from motionhub import HeatmapStudent, LcrNetStudent, labelled_frames, pseudo_labels, self_training_recipe


def new_student(name: str, labels: list) -> LcrNetStudent | HeatmapStudent:
    if name == "vitpose":
        sizes = {"image_size": [128, 96], "patch_size": [16, 16], "hidden_size": 96, "num_hidden_layers": 2}
        config = VitPoseConfig(backbone_config=VitPoseBackboneConfig(**sizes, num_attention_heads=4), num_labels=13)
        return HeatmapStudent(VitPoseForPoseEstimation(config), crop_size=(128, 96), sigma=1.5)
    if name != "lcr-net":
        return LcrNetStudent(AutoModel.from_pretrained(name), motionhub.PersonImageProcessor.from_pretrained(name))
    sizes = {"pyramid_channels": 64, "head_size": 256, "num_anchor_poses": 5, "boxes_per_image": 128}
    config = motionhub.LcrNetConfig(backbone="resnet10", train_proposals=300, test_proposals=100, **sizes)
    model = motionhub.LcrNetModel(config)
    model.set_anchor_poses(motionhub.fit_anchor_poses(labels, config.num_anchor_poses))
    return LcrNetStudent(model, motionhub.PersonImageProcessor(short_side=256))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--video", required=True)
    parser.add_argument("--experts", nargs="+", required=True, metavar="FILE_OR_ESTIMATOR")
    parser.add_argument("--student", default="lcr-net", help="lcr-net, vitpose, or a folder")
    parser.add_argument("--output_dir", default="runs/refined")
    parser.add_argument("--frame_share", type=float, default=0.25, help="share of labelled frames")
    parser.add_argument("--min_confidence", type=float, default=0.18)
    parser.add_argument("--epochs", type=int, nargs=2, default=[20, 12], help="on the first expert; on SST-A")
    args = parser.parse_args(argv)
    files = {name: motionhub.read(name)[0] for name in args.experts if Path(name).exists()}
    given = [files[x] if x in files else motionhub.extract_clip(args.video, x).clip for x in args.experts]
    experts = given if len(given) > 1 else motionhub.noisy_copies(given[0])
    pose, confidence = motionhub.aggregate_experts(experts)
    labels = pseudo_labels(pose, confidence, frame_share=args.frame_share, min_confidence=args.min_confidence)
    wanted = {label.frame for label in labels}
    images = {each.index: each.image for each in motionhub.open_video(args.video).frames() if each.index in wanted}
    known = motionhub.held_out([label for label in labels if label.frame in images])
    learn, held = ([label.frame for label in part] for part in known)
    print(f"SST-A of {len(experts)} experts: {len(learn)} frames to learn from, the last {len(held)} held out")
    sources = {**{f"expert {row}": expert for row, expert in enumerate(experts)}, "SST-A": pose}
    rows = {name: [vars(x) for x in labelled_frames(source, held)] for name, source in sources.items()}
    goal = labelled_frames(given[0] if len(given) == 1 else pose, held)
    student = new_student(args.student, labelled_frames(pose, learn))
    boxes = [[each.boxes for each in goal]] if isinstance(student, HeatmapStudent) else []
    tested = [images[frame] for frame in held]
    fast = {"optimizer": "adamw", "learning_rate": 5e-4, "schedule": "cosine", "checkpoint_epochs": 1000}
    if args.student in ("lcr-net", "vitpose"):
        recipe = self_training_recipe(**fast, epochs=args.epochs[0], output_dir=f"{args.output_dir}/first")
        student.train(labelled_frames(experts[0], learn), images, recipe, **({} if boxes else {"regression": True}))
    rows["student before"] = student.estimate(tested, *boxes)
    again = {**(fast if boxes else {}), "epochs": args.epochs[1], "output_dir": f"{args.output_dir}/refined"}
    result = student.train(labelled_frames(pose, learn), images, self_training_recipe(**again))
    rows["student after"] = student.estimate(tested, *boxes)
    print(f"{'held out frames':<18}{'people found':>13}{'PCK @ 0.1 box':>15}{'error (boxes)':>15}")
    for name, found in rows.items():
        scores = motionhub.pose_agreement(found, goal)
        print(f"{name:<18}{scores['found']:>13.1%}{scores['pck']:>15.1%}{scores['error']:>15.3f}")
    print(f"the student: {result.last_dir}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
