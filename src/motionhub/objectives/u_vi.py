"""U-VI's pretext: the posture of one camera's image, drawn in the other camera's view, gives the other image.

Paper: "Unsupervised View-Invariant Human Posture Representation" (Sardari et al., BMVC 2021), eqs. 1-8. Its batches
are those of `data.views.view_pairs`.

Where the paper is silent or the code differs:
- `rotation_source="paper"`: each view takes its rotation from the other moment with probability 0.5 (eq. 1).
  `"code"`: one draw for the whole batch, of three: both from the other moment; the second from its shifted image;
  the first from its shifted image. Translations are always the image's own.
- The shifted image is decoded with the same rotation and its own translation (the code); the paper's eq. 7 prints
  the reconstruction on both sides, here the shifted image is the target.
- A shift by c pixels adds c to that coordinate of all points, x to the right and y down (eq. 6; the code's memory
  order would add it to a mixture of x, y and z).
- All images of a batch go through the networks in one pass, so batch norm takes them together.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from motionhub.losses.motion import reconstruction_loss
from motionhub.objectives.self_supervised import Model, Run, SelfSupervised


class UViNetwork(nn.Module):
    """The model on a batch of view pairs: points in the view, and images of own, swapped and shifted postures."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, views: Tensor, shifted: Tensor, other: Tensor, source: Tensor) -> dict[str, Tensor]:
        """All images `(B, 2, C, H, W)`; `source (B, 2)`: 0 own rotation, 1 the other moment's, 2 the shifted one's.

        Returns:
            `own`, `swapped`, `moved` images `(B, 2, C, H, W)`; `points`, `moved_points (B, 2, N, 3)` in the view;
            `canonical (B, 2, N, 3)`.
        """
        batch = len(views)
        images = torch.cat([views, shifted, other]).flatten(0, 1)
        pose = self.model.pose_encoder(images[: 4 * batch]).unflatten(0, (2, batch, 2))
        rotation, translation = (part.unflatten(0, (3, batch, 2)) for part in self.model.viewpoint_encoder(images))
        chosen = torch.stack([rotation[0], rotation[2], rotation[1]]).gather(
            0, source[None, ..., None].expand(1, -1, -1, 3)
        )[0]

        def in_view(points: Tensor, moved: Tensor) -> Tensor:
            flat = self.model.seen_by(points.flatten(0, 1), chosen.flatten(0, 1), moved.flatten(0, 1))
            return flat.unflatten(0, (batch, 2))

        own = in_view(pose[0], translation[0])
        swapped = in_view(pose[0].flip(1), translation[0])
        moved = in_view(pose[1], translation[1])
        drawn = self.model.decoder(torch.cat([own, swapped, moved]).flatten(0, 1)).unflatten(0, (3, batch, 2))
        return {
            "own": drawn[0],
            "swapped": drawn[1],
            "moved": drawn[2],
            "points": own,
            "moved_points": moved,
            "canonical": pose[0],
        }


@dataclass(kw_only=True, eq=False, repr=False)
class UVi(SelfSupervised):
    """The objective of U-VI, for `motionhub.training.trainer.train`; the defaults are the paper's.

    Args:
        invariance_weight: alpha, of the images drawn from the other view's posture; 0 leaves the loss out.
        equivariance_weight: beta, of the points of the shifted image.
        reconstruction_weight: gamma, of the images drawn from their own posture, shifted ones too.
        rotation_source: `"paper"` or `"code"`, see the module.

    Raises:
        ValueError: a weight below 0, or all of them 0.

    Examples:
        >>> motionhub.UVi(invariance_weight=0.5).rotation_source
        'paper'
    """

    invariance_weight: float = 1.0
    equivariance_weight: float = 0.001
    reconstruction_weight: float = 1.0
    rotation_source: str = "paper"
    saves_updates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = (self.invariance_weight, self.equivariance_weight, self.reconstruction_weight)
        if min(weights) < 0 or not any(weights):
            raise ValueError(f"Weights must be 0 or more, and one above 0; got {weights}.")
        self.check_choices(rotation_source=("paper", "code"))

    def network(self, model: Model, run: Run) -> nn.Module:
        return UViNetwork(model)

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch (eq. 8) and its parts; `invariance` and `reconstruction` are sums over both views."""
        views, shifted = batch["views"], batch["shifted"]
        source = self.draw_sources(batch["seeds"]).to(views.device)
        made = model(views, shifted, batch["other"], source)
        losses = {
            "invariance": both_views(made["swapped"], views),
            "equivariance": equivariance_loss(made["points"], made["moved_points"], batch["shift"]),
            "reconstruction": both_views(made["own"], views) + both_views(made["moved"], shifted),
        }
        total = (
            self.invariance_weight * losses["invariance"]
            + self.equivariance_weight * losses["equivariance"]
            + self.reconstruction_weight * losses["reconstruction"]
        )
        distance = (made["canonical"][:, 0] - made["canonical"][:, 1]).norm(dim=-1).mean()
        return {"loss": total, **{name: value.detach() for name, value in losses.items()}, "apart": distance.detach()}

    def draw_sources(self, seeds: Tensor) -> Tensor:
        """`(B, 2)`: where each view's rotation comes from, see `UViNetwork.forward`."""
        if self.rotation_source == "code":
            draw = int(torch.randint(3, (), generator=torch.Generator().manual_seed(int(seeds[0]))))
            # Both from the other moment; the second view from its shifted image; the first from its shifted one.
            return torch.tensor([[1, 1], [0, 2], [2, 0]])[draw].expand(len(seeds), 2)
        draws = [torch.rand(2, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
        return (torch.stack(draws) < 0.5).long()


def both_views(drawn: Tensor, images: Tensor) -> Tensor:
    """The mean squared error of each view, added (eqs. 4, 5, 7); images `(B, 2, C, H, W)`."""
    return sum((reconstruction_loss(drawn[:, view], images[:, view]) for view in (0, 1)), drawn.new_zeros(()))


def equivariance_loss(points: Tensor, moved_points: Tensor, shift: Tensor) -> Tensor:
    """Points `(B, 2, N, 3)` of images moved by `shift (B, 2, 2)` pixels (x, y) have moved by as much (eq. 6)."""
    moved = torch.cat([shift, torch.zeros_like(shift[..., :1])], dim=-1)
    return both_views(points + moved[..., None, :], moved_points)
