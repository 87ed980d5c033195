"""ViA's two stages: retargeting learned from made pairs, then, without pairs, from its own retargeted motions.

Paper: Yang et al., "View-invariant Skeleton Action Representation Learning via Motion Retargeting", IJCV 2024; no
official training code. The paper starts from a model trained on paired synthetic motions (`ViaPairs`, its ablation's
baseline) and continues with real videos (`ViaCycle`). The model is a `motionhub.models.via.ViaForMotionRetargeting`.

Where the paper is silent, or this differs:
- Pairs are those of `objectives.body_pairs`.
- The sample of another cluster is one of the same batch, which for shuffled clips is drawn as from all of them.
  A batch is that of all processes (`objectives.joint_forward`): two processes compute the same as one, but for batch
  norm, which each process computes on its own clips, and means over joints where their numbers differ.
  K-Means is that of scikit-learn on the unit vectors of the pooled codes, every `cluster_epochs` epochs; before the
  first clustering any other clip is used. The paper names neither features, number of clusters nor schedule.
- Weights of all terms but the velocity's lambda are 1 in the paper; lambda is not given, here 0.1. A triplet weight of
  1 can wreck the codes of a model that starts from random weights: `motion_norm` and `character_norm` are logged.
- The thesis (section 4.4) trains the encoder otherwise, by contrast of clips whose body and view LAC's generator
  changed: `LacContrast(generator, num_frames, frame_weight=0.0)` of `objectives.lac_contrast` with a UnikModel.
"""

from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from motionhub.losses.contrastive import alignment, uniformity
from motionhub.losses.motion import reconstruction_loss, triplet_loss, velocity_loss
from motionhub.nn.people import frames_within
from motionhub.objectives.body_pairs import BodyPairs
from motionhub.objectives.joint_forward import JointForward, padded_alike
from motionhub.objectives.momentum import Gathered, MemoryBank
from motionhub.objectives.self_supervised import Model, Run, SelfSupervised, check_clips


class PairNetwork(nn.Module):
    """The network trained with pairs: every clip decoded with its own character and with that of its partner."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, keypoints: Tensor, attention_mask: Tensor, everyone: JointForward, partners: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`keypoints (B, M, T, V, C)` again, and with the characters of `partners (B,)` of all clips."""
        codes = self.model.via(keypoints, attention_mask=attention_mask)
        frames = keypoints.shape[2]
        own = self.model.decode(codes.motion, codes.character, codes.num_frames)
        crossed = self.model.decode(codes.motion, everyone.of_all(codes.character)[partners], codes.num_frames)
        return own[:, :, :frames], crossed[:, :, :frames]


@dataclass(kw_only=True, eq=False, repr=False)
class ViaPairs(BodyPairs):
    """The supervised stage, for `motionhub.training.trainer.train`: the loss is L_self + L_cross.

    The model sees the clips as `SkeletonProcessor(normalization="centre", scale="extent")` would make them of 2-D (or,
    by the model's `in_channels`, 3-D) sequences, and is to be saved with that processor.

    Args:
        layout, ranges, up: see `BodyPairs`.
        self_weight: of L_self.

    Examples:
        >>> motionhub.ViaPairs(motionhub.get_layout("coco-17"), self_weight=0.5).self_weight
        0.5
    """

    self_weight: float = 1.0

    def network(self, model: Model, run: Run) -> nn.Module:
        """The network around `model`. Raises ValueError when the model does not fit."""
        check_retargeting_model(model, self.layout.num_joints)
        self.num_dims = model.config.in_channels
        return PairNetwork(model)

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch (see `training.objective.PretrainingObjective`) and its parts."""
        pairs = self.pairs_of(batch)
        own, crossed = model(pairs.source[0], pairs.batch["attention_mask"], pairs.everyone, pairs.partners)
        losses = {
            "self": reconstruction_loss(own, *pairs.source),
            "cross": reconstruction_loss(crossed, *pairs.target),
        }
        parts = {name: value.detach() for name, value in losses.items()}
        return {"loss": self.self_weight * losses["self"] + losses["cross"], **parts}


class CycleNetwork(nn.Module):
    """The network trained without pairs: codes and motions of every person `(B, M)`, and of the generated motions.

    `_other` is of the partner's motion (m', c'), `_again` of the motions made, encoded anew.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, keypoints: Tensor, attention_mask: Tensor, everyone: JointForward, partners: Tensor, slots: Tensor
    ) -> dict[str, Tensor]:
        """`partners (B,)` are clips of all, `slots (B, M)` which of their people each person is paired with."""
        model, frames = self.model, keypoints.shape[2]
        codes = model.via(keypoints, attention_mask=attention_mask)
        chosen = (partners[:, None], slots)
        motion, character, num_frames = codes.motion, codes.character, codes.num_frames
        other_motion, other_character, other_frames = (
            everyone.of_all(value)[chosen] for value in (motion, character, num_frames)
        )
        other_frames = torch.where(num_frames > 0, other_frames, 0)
        changed = model.decode(motion, other_character, num_frames)[:, :, :frames]  # p of m, c'
        received = model.decode(other_motion, character, other_frames)[:, :, :frames]  # p of m', c
        mask = frames_within(torch.cat([num_frames, other_frames]), frames)
        again = model.via(torch.cat([changed, received]), attention_mask=mask)
        motion_again, character_again = again.motion[: len(keypoints)], again.character[len(keypoints) :]
        return {
            "own": model.decode(motion, character, num_frames)[:, :, :frames],
            "cycle": model.decode(motion_again, character_again, num_frames)[:, :, :frames],
            "motion": motion,
            "motion_again": motion_again,
            "motion_other": other_motion,
            "character": character,
            "character_again": character_again,
            "character_other": other_character,
            "pooled": codes.pooler_output,
        }


@dataclass(kw_only=True, eq=False, repr=False)
class ViaCycle(SelfSupervised):
    """The self-supervised stage: L_self + L_cycle + L_tripM + L_tripC + L_vel (eq. 3 to 7); the defaults the paper's.

    Its batches hold clips as the model's processor makes them, 2-D or 3-D, of any lengths and people.

    Args:
        num_clusters: K-Means clusters; the partner of a clip comes from another one. 1: from anywhere.
        cluster_epochs: epochs between two clusterings.
        self_weight, cycle_weight, triplet_weight, velocity_weight: of the terms (velocity: lambda).
        margin: of both triplets.

    Raises:
        ValueError: an option has no such value.

    Examples:
        >>> motionhub.ViaCycle(num_clusters=1).weights["triplet_motion"]
        1.0
    """

    num_clusters: int = 20
    cluster_epochs: int = 5
    self_weight: InitVar[float] = 1.0
    cycle_weight: InitVar[float] = 1.0
    triplet_weight: InitVar[float] = 1.0
    velocity_weight: InitVar[float] = 0.1
    margin: float = 1.0

    weights: dict[str, float] = field(init=False)
    clusters: Tensor = field(init=False)
    bank: MemoryBank = field(init=False)
    updates_per_clustering: int = field(init=False)
    seed: int = field(init=False)

    def __post_init__(
        self, self_weight: float, cycle_weight: float, triplet_weight: float, velocity_weight: float
    ) -> None:
        super().__post_init__()
        triplets = dict.fromkeys(("triplet_motion", "triplet_character"), triplet_weight)
        self.weights = {"self": self_weight, "cycle": cycle_weight, **triplets, "velocity": velocity_weight}
        self.check_at_least(1, "num_clusters", "cluster_epochs")
        if min(self.weights.values()) < 0:
            raise ValueError(f"Weights must be 0 or more, got {self.weights}.")
        self._new = Gathered()

    def settings(self) -> dict[str, Any]:
        """What must not change when a run is resumed."""
        return {**super().settings(), "weights": self.weights}

    def network(self, model: Model, run: Run) -> nn.Module:
        """The network around `model`, and a place for a cluster and a feature of each of `run.num_clips` rows.

        Raises:
            ValueError: the model does not fit, or there is a single clip.
        """
        check_retargeting_model(model, None)
        check_clips(run)
        self.seed, self.updates_per_clustering = run.seed, self.cluster_epochs * run.updates_per_epoch
        self.register_buffer("clusters", torch.full((run.num_clips,), -1))
        self.bank = MemoryBank(run.num_clips, model.config.hidden_size, fingerprint=run.fingerprint, momentum=0.0)
        return CycleNetwork(model)

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch (see `training.objective.PretrainingObjective`), its parts, and statistics of the codes.

        Their mean lengths; of motion codes alignment (with those of the motion on another character) and uniformity.
        """
        batch = padded_alike(batch)
        keypoints, attention_mask = batch["keypoints"], batch["attention_mask"].bool()
        everyone = JointForward(batch["seeds"].to(keypoints.device))
        rows, present = everyone.of_all(batch["index"]), everyone.of_all(attention_mask.any(-1))
        partners = contrastive_partners(self.clusters[rows], rows, present.any(1), everyone.seeds)[everyone.own]
        made = model(keypoints, attention_mask, everyone, partners, paired_people(present, partners))
        here = attention_mask.any(-1).flatten()
        losses = self._losses(made, keypoints, batch["joint_mask"] & attention_mask.unsqueeze(-1), here)
        self._new.add(batch["index"], made["pooled"])
        total = torch.stack([self.weights[name] * value for name, value in losses.items()]).sum()
        norms = {f"{name}_norm": made[name].detach().norm(dim=-1).mean() for name in ("motion", "character")}
        own, again = (made[name].detach().flatten(0, 1)[here].flatten(1) for name in ("motion", "motion_again"))
        aligned = alignment(own, again) if len(own) else own.new_zeros(())
        space = {**norms, "alignment": aligned, "uniformity": uniformity(own)}
        return {"loss": total, **{name: value.detach() for name, value in losses.items()}, **space}

    @torch.no_grad()
    def after_update(self, model: nn.Module) -> None:
        """Stores the features of the update; every `cluster_epochs` epochs those of all clips are clustered."""
        self.bank.update(*self._new.take())
        super().after_update(model)
        if self.num_clusters > 1 and int(self.updates) % self.updates_per_clustering == 0:
            rows = self.bank.seen.nonzero().squeeze(1)
            found = k_means(self.bank.vectors[rows], self.num_clusters, self.seed)
            self.clusters[rows] = found.to(self.clusters.device)

    def _losses(self, made: dict[str, Tensor], keypoints: Tensor, seen: Tensor, present: Tensor) -> dict[str, Tensor]:
        triplets = {
            f"triplet_{code}": triplet_loss(
                *(made[f"{code}{which}"].flatten(0, 1) for which in ("_again", "", "_other")),
                margin=self.margin,
                mask=present,
            )
            for code in ("motion", "character")
        }
        return {
            "self": reconstruction_loss(made["own"], keypoints, seen),
            "cycle": reconstruction_loss(made["cycle"], keypoints, seen),
            **triplets,
            "velocity": velocity_loss(made["cycle"], keypoints, seen),
        }


def contrastive_partners(clusters: Tensor, rows: Tensor, present: Tensor, seeds: Tensor) -> Tensor:
    """For each clip of a batch another one `(batch,)`, drawn by its seed alone from those that are best.

    Best: it has a person and lies in another cluster (-1: not known yet). Failing that another clip with a
    person, or any other one.

    Args:
        clusters, rows, seeds: `(batch,)` int64.
        present: `(batch,)` bool.

    Raises:
        ValueError: there is no other clip in the batch.
    """
    others = rows[:, None] != rows
    if not bool(others.any(1).all()):
        raise ValueError(
            f"A contrastive sample needs two or more clips in every forward pass, got rows {rows.tolist()}."
        )
    known = (clusters >= 0)[:, None] & (clusters >= 0)
    elsewhere = ~known | (clusters[:, None] != clusters)
    wishes = [others & present & elsewhere, others & present, others]
    chosen = []
    for place, seed in enumerate(seeds.tolist()):
        candidates = next(wish[place] for wish in wishes if bool(wish[place].any())).nonzero().squeeze(1)
        drawn = torch.randint(len(candidates), (), generator=Generator().manual_seed(seed))
        chosen.append(candidates[int(drawn)])
    return torch.stack(chosen)


def paired_people(present: Tensor, partners: Tensor) -> Tensor:
    """`(B, M)`: which person of the partner's clip each is paired with: the same slot, or the first person present.

    `present` is of all clips, `partners (B,)` of some.
    """
    theirs = present[partners]
    first = theirs.to(torch.int8).argmax(1, keepdim=True)
    same = torch.arange(present.shape[1], device=present.device).expand_as(theirs)
    return torch.where(theirs, same, first)


def k_means(features: Tensor, num_clusters: int, seed: int) -> Tensor:
    """The cluster of each row of `features (rows, channels)`: at most `num_clusters`, the same in every process."""
    from sklearn.cluster import KMeans

    values = features.detach().cpu().numpy().astype(np.float64)
    count = min(num_clusters, len(np.unique(values, axis=0)))
    return torch.from_numpy(KMeans(count, n_init=1, random_state=seed).fit_predict(values).astype(np.int64))


def check_retargeting_model(model: Any, num_joints: int | None) -> None:
    """ValueError unless the model retargets motions, with so many joints."""
    if not hasattr(model, "decode"):
        raise ValueError(
            f"ViA is trained by retargeting, which {type(model).__name__} does not support; give a "
            "ViaForMotionRetargeting (ViaForActionClassification loads its weights)."
        )
    if num_joints not in (None, model.config.num_joints):
        raise ValueError(
            f"The model takes {model.config.num_joints} joints, but the layout has {num_joints}; give the layout of "
            "the model."
        )
