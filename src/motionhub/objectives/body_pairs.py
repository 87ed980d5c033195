"""Exact pairs of motions, generated during training, for LAC's and ViA's first stages.

The clips of a batch, in 3-D, get a body and a camera each (`augment.view_params`), and each also appears with the view
of the next one in the order of their seeds (the papers render Mixamo characters). So every clip of a batch is a source
once and a target once. A batch is that of all processes (`objectives.joint_forward`), so two processes compute the
same as one if they have equally many visible joints; with accumulation steps the pairs differ.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from motionhub.augment.view_params import ViewParams, ViewRanges, apply_view, draw_views, limb_responses
from motionhub.objectives.joint_forward import JointForward, padded_alike
from motionhub.objectives.self_supervised import SelfSupervised
from motionhub.skeletons.layout import SkeletonLayout


@dataclass
class PairBatch:
    """A batch of pairs.

    Args:
        batch: padded as the largest of all processes.
        everyone: the clips of all processes; `partners (B,)` are those whose body and camera each own clip also gets.
        source, target: keypoints `(B, 1, T, rows, num_dims)` with their own body and camera and with the partner's,
            and which of them are visible.
    """

    batch: dict[str, Tensor]
    everyone: JointForward
    partners: Tensor
    source: tuple[Tensor, Tensor]
    target: tuple[Tensor, Tensor]


@dataclass(kw_only=True, eq=False, repr=False)
class BodyPairs(SelfSupervised):
    """An objective on exact pairs.

    Its batches hold 3-D clips of one person (a `ClipDataset` with a 3-D `SkeletonProcessor(num_people=1)`).

    Args:
        layout: of the joints.
        ranges: of bodies and cameras.
        up: the axis of the clips that points up, `"x"`, `"y"` or `"z"`.
    """

    layout: SkeletonLayout = field(kw_only=False)
    ranges: ViewRanges = field(default_factory=ViewRanges)
    up: str = "y"

    responses: Tensor = field(init=False)
    num_dims: int = field(init=False)
    saves_updates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.register_buffer("responses", limb_responses(self.layout), persistent=False)

    def pairs_of(self, batch: dict[str, Tensor]) -> PairBatch:
        """Every clip with its own body and camera and with its partner's.

        Raises:
            ValueError: fewer than two clips, or clips of several people.
        """
        batch = padded_alike(batch)
        everyone = JointForward(batch["seeds"].to(batch["keypoints"].device))
        if len(everyone) < 2 or batch["keypoints"].shape[1] != 1:
            raise ValueError(
                f"Pairs need two or more clips of one person in every forward pass, got {len(everyone)} clips of "
                f"{batch['keypoints'].shape[1]}; raise batch_size, and use SkeletonProcessor(num_people=1)."
            )
        views, partners = draw_views(everyone.seeds, self.ranges), everyone.later(1)
        source, target = (self._seen(batch, views.of(places)) for places in (everyone.own, partners))
        return PairBatch(batch, everyone, partners, source, target)

    def _seen(self, batch: dict[str, Tensor], views: ViewParams, **options: Any) -> tuple[Tensor, Tensor]:
        """The model's input from the clips with these views, and which of it is visible; `options` of `apply_view`."""
        mask = batch["joint_mask"] & batch["attention_mask"].unsqueeze(-1)
        options |= {"root": self.layout.index(self.layout.root), "num_dims": self.num_dims, "up": self.up}
        return apply_view(batch["keypoints"], mask, views, self.responses, **options)
