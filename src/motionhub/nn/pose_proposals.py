"""Poses in boxes: a pose relative to its box and back, and many overlapping pose proposals made into one per person.

It does not know pictures, networks or joints' names. Source of the integration: Rogez, Weinzaepfel and Schmid,
"LCR-Net++: Multi-person 2D and 3D Pose Detection in Natural Images", TPAMI 2019; written for 2-D poses alone.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


def fit_into(poses: Tensor, boxes: Tensor) -> Tensor:
    """Poses of the unit box put into boxes: `(..., joints, 2)` and `(..., 4)` as left, top, right, bottom."""
    corner, size = boxes[..., None, :2], boxes[..., None, 2:] - boxes[..., None, :2]
    return corner + poses * size


def relative_to(poses: Tensor, boxes: Tensor) -> Tensor:
    """The inverse of `fit_into`: the box's left top corner becomes (0, 0), its right bottom one (1, 1)."""
    corner, size = boxes[..., None, :2], boxes[..., None, 2:] - boxes[..., None, :2]
    return (poses - corner) / size


@dataclass(frozen=True)
class People:
    """Which proposals each person is made of, best person first.

    Args:
        weights: `(people, proposals)`; a row sums to 1 and is zero for proposals that are not this person's. The
            person's pose is `weights @ poses`, and so are its box and its class scores.
        scores: `(people,)` sum of the scores of the proposals used (LCR-Net's cumulative score; may be above 1).
    """

    weights: Tensor
    scores: Tensor


def integrate_proposals(
    poses: Tensor,
    scores: Tensor,
    image_size: tuple[int, int],
    *,
    min_overlap: float = 0.2,
    max_distance: float = 0.1,
    min_mode_score: float = 0.05,
    min_person_score: float = 0.002,
) -> People:
    """Pose proposal integration: proposals that overlap are one person, of which the most supported pose is kept.

    The proposal with the highest score and all that overlap it are a person; the same with what is left, until nothing
    is. Within a person, the highest score and all of the person's proposals that are near it are a mode; the same with
    what is in no mode yet. The mode with the largest sum of scores is the person's pose: the mean of its proposals
    weighted by their scores.

    Args:
        poses: `(proposals, joints, 2)` pixels.
        scores: `(proposals,)` above 0.
        image_size: (width, height); the part of a pose outside does not count for the overlap.
        min_overlap: intersection over union of two poses' boxes from which on they are one person.
        max_distance: mean distance of the joints, as a share of the longer side of the pose's box, up to which two
            poses are one mode. LCR-Net++ takes 0.3 m in 3-D, a sixth of a person; this is ours, for 2-D.
        min_mode_score: no further mode begins at a proposal with less.
        min_person_score: people with a smaller sum of scores are dropped.
    """
    left, boxes = torch.ones_like(scores, dtype=torch.bool), _boxes_inside(poses, image_size)
    found: list[tuple[Tensor, Tensor]] = []
    while left.any():
        best = int(torch.where(left, scores, -torch.inf).argmax())
        person = left & (_overlap(boxes, boxes[best]) > min_overlap)
        person[best] = True  # a pose outside the picture overlaps nothing, not even itself
        left = left & ~person
        mode = _main_mode(poses, scores, person, max_distance, min_mode_score)
        total = scores[mode].sum()
        if total > min_person_score:
            found.append((torch.where(mode, scores, 0) / total, total))
    if not found:
        return People(scores.new_zeros(0, len(scores)), scores.new_zeros(0))
    weights, totals = (torch.stack(each) for each in zip(*found, strict=True))
    order = totals.argsort(descending=True, stable=True)
    return People(weights[order], totals[order])


def _main_mode(poses: Tensor, scores: Tensor, person: Tensor, max_distance: float, min_mode_score: float) -> Tensor:
    left, main, most = person.clone(), person, scores.new_tensor(-torch.inf)
    while left.any():
        best = int(torch.where(left, scores, -torch.inf).argmax())
        if scores[best] < min_mode_score and most > -torch.inf:
            break
        size = (poses[best].amax(dim=0) - poses[best].amin(dim=0)).amax()
        near = (poses - poses[best]).norm(dim=-1).mean(dim=-1) <= max_distance * size
        mode = person & near
        mode[best] = True
        left = left & ~mode
        if scores[mode].sum() > most:
            main, most = mode, scores[mode].sum()
    return main


def _boxes_inside(poses: Tensor, image_size: tuple[int, int]) -> Tensor:
    limit = poses.new_tensor(image_size)
    inside = torch.minimum(poses.clamp(min=0), limit)
    return torch.cat([inside.amin(dim=1), inside.amax(dim=1)], dim=-1)


def _overlap(boxes: Tensor, box: Tensor) -> Tensor:
    """Intersection over union of `(boxes, 4)` with one box."""
    sides = torch.minimum(boxes[:, 2:], box[2:]) - torch.maximum(boxes[:, :2], box[:2])
    common = sides.clamp(min=0).prod(dim=-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=-1)
    union = areas + (box[2:] - box[:2]).prod() - common
    return torch.where(union > 0, common / union, 0)
