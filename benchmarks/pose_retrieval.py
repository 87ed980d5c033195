r"""How often an encoder of single poses finds a pose again before another camera, and what it finds, as an image.

    python benchmarks/pose_retrieval.py --model hub_configs/cv-mim-small --dataset bandai-namco \
        --data_root bandai_namco_2_subset.zip --protocol cross-style --output_dir runs/found --picture runs/found.png

Poses are drawn from 3-D clips and each is seen by two cameras from any side (`motionhub.objectives.pose_views`); the
first images are searched for among the second ones, by the cosine. Right is a pose that differs by less than a tenth
of a trunk, after a turn about the vertical. Prints hit@1, 5 and 10 by the vectors of the pose, hit@1 by those of the
view, and as the control hit@1 by the coordinates themselves; OUTPUT_DIR/last/metrics.json holds them, where
examples/write_card.py looks. In the image (as figure 4 of the CV-MIM paper) a row is a query and what was nearest,
by pose vectors, then by view vectors.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModel

import motionhub
from motionhub.augment.views import CameraRanges
from motionhub.cli.main import handle_cli_errors
from motionhub.geometry.alignment import turned_error
from motionhub.objectives.pose_views import PoseViews, ViewSampler
from motionhub.processing.collate import collate_skeletons
from motionhub.training.arguments import RunArguments
from motionhub.training.dataset import ClipDataset, item_seed
from motionhub.training.sources import load_checkpoint
from motionhub.training.start import load_splits


BATCH = 64


def poses_of(arguments: argparse.Namespace, layout: motionhub.SkeletonLayout) -> list[PoseViews]:
    """Of clips spread over the split, as many poses as were asked for, batch by batch."""
    source = RunArguments(
        dataset=arguments.dataset,
        model=arguments.model,
        data_root=arguments.data_root,
        protocol=arguments.protocol,
        eval_split=arguments.split,
    )
    rows = load_splits(source)[arguments.split]
    clips = -(-arguments.poses // arguments.poses_per_clip)
    rows = rows.select(np.unique(np.linspace(0, len(rows) - 1, clips).astype(int)))
    processor = motionhub.SkeletonProcessor(layout=layout, num_dims=3, num_people=1, normalization="none")
    items = ClipDataset(rows, processor, training=False)
    sampler = ViewSampler(layout, CameraRanges(), arguments.poses_per_clip, up=arguments.up)
    views = []
    for start in range(0, len(items), BATCH):
        places = range(start, min(start + BATCH, len(items)))
        batch = collate_skeletons([items[place] for place in places])
        batch["seeds"] = torch.tensor([item_seed(arguments.seed, 0, place) for place in places])
        views.append(sampler(batch))
    return views


def joined(views: Sequence[PoseViews], limit: int) -> PoseViews:
    """The first `limit` poses of all batches."""
    axes = {"images": 1, "seen": 1, "points": 0, "visible": 0, "noise": 0}
    values = {name: torch.cat([getattr(part, name) for part in views], axis) for name, axis in axes.items()}
    return PoseViews(**{name: value.narrow(axes[name], 0, limit) for name, value in values.items()})


@torch.inference_mode()
def vectors_of(model: torch.nn.Module, views: PoseViews) -> dict[str, Tensor]:
    """By pose, by view and by coordinates: `(2, num_poses, channels)`."""
    codes = [model.encode(image, seen) for image, seen in zip(views.images, views.seen, strict=True)]
    found = {name: torch.stack([getattr(code, name) for code in codes]) for name in ("pose", "view")}
    return {**found, "coordinates": views.images.flatten(2)}  # the control


def report_of(vectors: dict[str, Tensor], views: PoseViews) -> dict[str, float]:
    relevant = same_poses(views).numpy()
    hits = {name: hit_at_k(*pair.numpy(), relevant) for name, pair in vectors.items() if pair.shape[2]}
    others = {f"{name}, hit@1": hits[name]["hit@1"] for name in hits if name != "pose"}
    return {**hits["pose"], **others, "chance": float(relevant.mean())}


def draw(
    vectors: dict[str, Tensor], views: PoseViews, layout: motionhub.SkeletonLayout, path: Path, rows: int
) -> None:
    """Queries spread over the poses: for each a row of the nearest by pose vectors and one by view vectors."""
    from motionhub.visualization.draw import draw_neighbours

    def sequence(view: int, place: int) -> motionhub.SkeletonSequence:
        image = views.images[view, place].masked_fill(~views.seen[view, place, :, None], float("nan"))
        return motionhub.SkeletonSequence(image[None, None].numpy(), layout=layout, fps=30, unit="normalised")

    units = {name: torch.nn.functional.normalize(pair, dim=2) for name, pair in vectors.items()}
    drawn, titles = [], []
    for query in torch.linspace(0, views.points.shape[0] - 1, rows + 2)[1:-1].long().tolist():
        for name in ("pose", "view") if vectors["view"].shape[2] else ("pose",):
            near = (units[name][0, query] @ units[name][1].mT).topk(5)
            found = [
                (sequence(1, place), 0, 0, f"{cosine:.2f}")
                for cosine, place in zip(near.values.tolist(), near.indices.tolist(), strict=True)
            ]
            drawn.append([(sequence(0, query), 0, 0, "query"), *found])
            titles.append(f"nearest by {name} vector, before other cameras")
    draw_neighbours(drawn, path, titles=titles, size=120)
    print(f"drawn: {path}")


def same_poses(views: PoseViews, tolerance: float = 0.1) -> Tensor:
    """`(num_poses, num_poses)` bool: poses that are one but for a turn about the vertical.

    Args:
        tolerance: mean distance of the joints, in trunks, below which they are.
    """
    rows = [
        turned_error(point, views.points, seen & views.visible) < tolerance
        for point, seen in zip(views.points, views.visible, strict=True)
    ]
    return torch.stack(rows)


def hit_at_k(queries: Any, gallery: Any, relevant: Any, ks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Share of queries with a relevant entry among their k nearest by cosine, as `{"hit@1": ...}`.

    Args:
        queries: `(num_queries, channels)`; gallery: `(num_gallery, channels)`, for example of another view.
        relevant: `(num_queries, num_gallery)` bool; a query without a relevant entry is a miss.
        ks: numbers of neighbours; of equally near ones the earlier comes first.

    Raises:
        ValueError: wrong shapes, or a vector is not finite.
    """
    queries, gallery = np.asarray(queries, np.float64), np.asarray(gallery, np.float64)
    relevant = np.asarray(relevant, bool)
    fits = queries.ndim == gallery.ndim == 2 and relevant.shape == (len(queries), len(gallery)) and relevant.size
    if not fits or min(ks, default=0) < 1:
        raise ValueError(
            "Expected queries, gallery, relevant (num_queries, num_gallery) and ks of at least 1, got "
            f"{queries.shape}, {gallery.shape}, {relevant.shape} and {list(ks)}."
        )
    if not (np.isfinite(queries).all() and np.isfinite(gallery).all()):
        raise ValueError("hit@k needs finite vectors; leave out poses without joints.")
    queries, gallery = (
        values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12) for values in (queries, gallery)
    )
    # For unit vectors the same order as the cosine.
    distances = np.square(queries).sum(1)[:, None] + np.square(gallery).sum(1) - 2 * queries @ gallery.T
    order = np.argsort(distances, axis=1, kind="stable")
    found = np.take_along_axis(relevant, order, axis=1)
    return {f"hit@{k}": float(found[:, :k].any(1).mean()) for k in ks}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--model", required=True, help="folder or Hub id of an encoder of single poses, such as CV-MIM"
    )
    parser.add_argument(
        "--dataset", required=True, help="3-D clips: a reader (bandai-namco) with --data_root, or a saved dataset"
    )
    parser.add_argument("--data_root", default=None, help="folder or archive of the raw files")
    parser.add_argument("--protocol", default=None)
    parser.add_argument("--split", default="test")
    parser.add_argument("--poses", type=int, default=1000)
    parser.add_argument("--poses_per_clip", type=int, default=4)
    parser.add_argument("--up", choices=("x", "y", "z"), default="y", help="the axis of the clips that points up")
    parser.add_argument("--seed", type=int, default=0, help="of poses and cameras")
    parser.add_argument("--output_dir", type=Path)
    parser.add_argument("--picture", type=Path, help="a PNG")
    parser.add_argument("--rows", type=int, default=3, help="queries in the picture")
    arguments = parser.parse_args(argv)
    model, processor = load_checkpoint(arguments.model, AutoModel)
    layout = motionhub.get_layout(processor.layout)
    views = joined(parts := poses_of(arguments, layout), min(arguments.poses, sum(len(part.points) for part in parts)))
    vectors = vectors_of(model.eval(), views)
    report = report_of(vectors, views)
    print(f"{len(views.points)} poses: " + ", ".join(f"{name} {100 * value:.1f} %" for name, value in report.items()))
    if arguments.output_dir:
        (arguments.output_dir / "last").mkdir(parents=True, exist_ok=True)
        (arguments.output_dir / "last" / "metrics.json").write_text(json.dumps(report, indent=2) + "\n")
    if arguments.picture:
        draw(vectors, views, layout, arguments.picture, arguments.rows)


if __name__ == "__main__":
    sys.exit(handle_cli_errors(lambda: main(sys.argv[1:])))
