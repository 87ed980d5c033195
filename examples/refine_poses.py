"""SSTA-PRS: several pose estimators teach one, on a video, without a label. Prints what the student gained.

    python examples/refine_poses.py --video tai_chi.mp4 --experts alphapose.json openpose_folder mediapipe
    python examples/refine_poses.py --video tai_chi.mp4 --experts mediapipe.npz --student vitpose

--experts are files that `motionhub.read` reads, or estimators' names, the most trusted first. Of a single one, two
noisy copies are the experts and it is the reference itself; else SST-A is the reference, which is not the truth.
--student lcr-net or vitpose (small, new: they first learn from the first expert alone), or an LcrNetModel's folder.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from transformers import AutoModel, VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

import motionhub
from motionhub.data.video.reader import open_video
from motionhub.poses.extraction import extract_clip
from motionhub.poses.self_training import fit_anchor_poses, held_out, poses_at, pseudo_labels
from motionhub.poses.students import HeatmapStudent, LcrNetStudent, agreement, self_training_recipe
from motionhub.skeletons.measures import body_size


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
    model.set_anchor_poses(fit_anchor_poses(labels, config.num_anchor_poses))
    return LcrNetStudent(model, motionhub.PersonImageProcessor(short_side=256))


def noisy_copies(pose: motionhub.SkeletonSequence) -> list[motionhub.SkeletonSequence]:
    """Two experts out of one: the first misses 15 % of the joints and shakes by 1 % of the body; second: 2 and 3."""
    chance, copies = np.random.default_rng(0), []
    for share, shaking in ((0.15, 0.01), (0.02, 0.03)):
        moved = pose.keypoints + chance.normal(0, shaking * body_size(pose), pose.keypoints.shape)
        missing = chance.random(pose.keypoints.shape[:3]) < share
        copies.append(pose.replace(keypoints=np.where(missing[..., None], np.nan, moved)))
    return copies


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--video", required=True)
    parser.add_argument("--experts", nargs="+", required=True, metavar="FILE_OR_ESTIMATOR")
    parser.add_argument("--student", default="lcr-net", help="lcr-net, vitpose, or a folder")
    parser.add_argument("--output_dir", default="runs/refined")
    parser.add_argument("--frame_share", type=float, default=0.25, help="share of the frames that is labelled")
    parser.add_argument("--min_confidence", type=float, default=0.18)
    parser.add_argument("--epochs", type=int, nargs=2, default=[20, 12], help="of a student without weights; of SST-A")
    options = parser.parse_args(argv)
    read = [motionhub.read(x)[0] if Path(x).exists() else extract_clip(options.video, x).clip for x in options.experts]
    experts = read if len(read) > 1 else noisy_copies(read[0])
    pose, confidence = motionhub.aggregate_experts(experts)
    labels = pseudo_labels(pose, confidence, frame_share=options.frame_share, min_confidence=options.min_confidence)
    wanted = {label.frame for label in labels}
    pictures = {frame.index: frame.image for frame in open_video(options.video).frames() if frame.index in wanted}
    known = held_out([label for label in labels if label.frame in pictures])
    learn, held = ([label.frame for label in part] for part in known)
    print(f"SST-A of {len(experts)} experts: {len(learn)} frames to learn from, the last {len(held)} held out")
    goal = poses_at(read[0] if len(read) == 1 else pose, held)
    rows = {f"expert {row}": [vars(x) for x in poses_at(each, held)] for row, each in enumerate(experts)}
    rows["SST-A"] = [vars(x) for x in poses_at(pose, held)]
    student = new_student(options.student, poses_at(pose, learn))
    boxes = [[each.boxes for each in goal]] if isinstance(student, HeatmapStudent) else []
    images = [pictures[frame] for frame in held]
    fast = {"optimizer": "adamw", "learning_rate": 5e-4, "schedule": "cosine", "checkpoint_epochs": 1000}
    if options.student in ("lcr-net", "vitpose"):
        recipe = self_training_recipe(**fast, epochs=options.epochs[0], output_dir=options.output_dir + "/first")
        student.train(poses_at(experts[0], learn), pictures, recipe, **({} if boxes else {"regression": True}))
    rows["student before"] = student.estimate(images, *boxes)
    again = {**(fast if boxes else {}), "epochs": options.epochs[1], "output_dir": options.output_dir + "/refined"}
    result = student.train(poses_at(pose, learn), pictures, self_training_recipe(**again))
    rows["student after"] = student.estimate(images, *boxes)
    print(f"{'held out frames':<18}{'people found':>13}{'PCK @ 0.1 box':>15}{'error (boxes)':>15}")
    for name, found in rows.items():
        scores = agreement(found, goal)
        print(f"{name:<18}{scores['found']:>13.1%}{scores['pck']:>15.1%}{scores['error']:>15.3f}")
    print(f"the student: {result.last_dir}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
