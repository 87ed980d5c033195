"""OR-VPE: an encoder learns that a motion with hidden joints is the same motion, and other clips are others.

Paper: "Self-supervised video pose representation learning for occlusion-robust action recognition" (Yang et al., FG
2021); no official code. Each epoch every clip gives one random segment (the processor's "random-window") with one
of six parts of the body hidden (SubG-DA). Its embedding is compared with what a memory bank holds of the same clip
from the epoch before, against K other clips of the bank.

Where the paper is silent:
- phi, "a learnable mapping", is Linear-ReLU-Linear of the embedding's size.
- The bank's vectors come back to length 1 after eq. 5; the K clips are drawn anew for each update, and a clip's own
  vector is never its negative.
- The first epoch only fills the bank: on a small dataset, positives that are random vectors drew all embeddings to one
  point.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from motionhub.augment.occlusion import draw_patterns, hide, visibility
from motionhub.losses.contrastive import DENOMINATORS, alignment, info_nce, uniformity
from motionhub.objectives.momentum import Gathered, MemoryBank
from motionhub.objectives.self_supervised import Model, Run, SelfSupervised, check_clips
from motionhub.skeletons.layout import SkeletonLayout


class EmbeddingNetwork(nn.Module):
    """Encoder, Linear to the embedding, unit length; and phi, of the embeddings and of vectors from the bank."""

    def __init__(self, encoder: Model, embedding_size: int, mapping: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.embed = nn.Linear(encoder.config.hidden_size, embedding_size)
        layers = [nn.Linear(embedding_size, embedding_size), nn.ReLU(), nn.Linear(embedding_size, embedding_size)]
        self.mapping = nn.Sequential(*layers) if mapping == "mlp" else nn.Identity()

    def forward(self, inputs: dict[str, Tensor], remembered: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`(batch, embedding_size)` unit embeddings, the same mapped by phi, and `remembered (n, size)` mapped."""
        embeddings = nn.functional.normalize(self.embed(self.encoder(**inputs).pooler_output).float(), dim=1)
        return embeddings, self.mapping(embeddings), self.mapping(remembered)


@dataclass(kw_only=True, eq=False, repr=False)
class OrVpe(SelfSupervised):
    """The objective of OR-VPE, for `motionhub.training.trainer.train`; the defaults are the paper's.

    Args:
        layout: of the encoder's joints.
        embedding_size: of the embedding, and of the vectors in the bank.
        num_negatives: K; of a smaller dataset all other clips.
        temperature: of the similarities.
        bank_momentum: share of the old vector that stays in the bank.
        mapping: phi, `"mlp"` or `"none"`.
        denominator: `"standard"`: with the positive, or `"printed"`: without, as eq. 3.
        bank_start: `"filled"`: the optimizer is held for the first epoch, in which the bank takes the embeddings of
            the untrained network. `"random"`: the first epoch learns from random vectors.
        spatial_masks: False leaves all joints visible (the ablation without spatial SubG-DA).
        num_views: times a clip enters an update, each view a further positive of the others. The paper's positive is
            the bank alone; few clips are learned faster with 2.

    Raises:
        ValueError: an option has no such value.

    Examples:
        >>> motionhub.OrVpe(motionhub.get_layout("coco-17"), num_negatives=512).visible.shape
        torch.Size([6, 17])
    """

    layout: SkeletonLayout = field(kw_only=False)
    embedding_size: int = 128
    num_negatives: int = 4096
    temperature: float = 0.07
    bank_momentum: float = 0.5
    mapping: str = "mlp"
    denominator: str = "standard"
    bank_start: str = "filled"
    spatial_masks: bool = True
    num_views: int = 1

    visible: Tensor = field(init=False)
    bank: MemoryBank = field(init=False)
    seed: int = field(init=False)
    held_updates: int = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_choices(mapping=("mlp", "none"), denominator=DENOMINATORS, bank_start=("filled", "random"))
        self.check_at_least(1, "embedding_size", "num_negatives", "num_views")
        self.register_buffer("visible", visibility(self.layout), persistent=False)
        self._new = Gathered()

    def network(self, model: Model, run: Run) -> nn.Module:
        """The embedding network around `model`, and a bank with a vector for each of `run.num_clips` rows.

        Raises:
            ValueError: the encoder has other joints, or there is a single clip.
        """
        joints = model.config.to_dict().get("num_joints")
        if joints != self.layout.num_joints:
            raise ValueError(
                f"The encoder takes num_joints={joints}, but layout {self.layout.name!r} has "
                f"{self.layout.num_joints}; give OrVpe the encoder's layout."
            )
        check_clips(run)
        self.seed, filled = run.seed, self.bank_start == "filled"
        self.held_updates = run.updates_per_epoch if filled else 0
        self.bank = MemoryBank(
            run.num_clips,
            self.embedding_size,
            fingerprint=run.fingerprint,
            momentum=self.bank_momentum,
            replace_first=filled,
        )
        return EmbeddingNetwork(model, self.embedding_size, self.mapping)

    def ready(self) -> bool:
        """False in the first epoch, while the bank fills (`bank_start="filled"`)."""
        return int(self.updates) >= self.held_updates

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch (see `training.objective.PretrainingObjective`), bank alignment and uniformity."""
        index = batch["index"]
        inputs = self._seen(batch)
        others = self._drawn_rows().to(index.device)
        remembered = torch.cat([self.bank(index), self.bank(others)])
        embeddings, queries, mapped = model(inputs, remembered)
        positives, negatives = mapped[: len(index)], mapped[len(index) :]
        views = queries.unflatten(0, (self.num_views, -1))
        others_of_clip = [views.roll(-turn, 0).flatten(0, 1) for turn in range(1, self.num_views)]
        loss = info_nce(
            queries,
            torch.stack([positives, *others_of_clip], dim=1),
            negatives,
            temperature=self.temperature,
            negative_mask=others != index[:, None],
            denominator=self.denominator,
        )
        self._new.add(index, embeddings)
        spread = uniformity(embeddings.detach())
        return {"loss": loss, "alignment": alignment(queries, positives).detach(), "uniformity": spread}

    @torch.no_grad()
    def after_update(self, model: nn.Module) -> None:
        """The embeddings of the update, of all processes, enter the bank."""
        self.bank.update(*self._new.take())
        self.updates += 1

    def _seen(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The encoder's inputs, each clip with one part of the body hidden."""
        inputs = {name: batch[name] for name in ("keypoints", "joint_mask", "attention_mask")}
        if self.spatial_masks:
            visible = self.visible[draw_patterns(batch["seeds"]).to(self.visible.device)]
            inputs["keypoints"], inputs["joint_mask"] = hide(inputs["keypoints"], inputs["joint_mask"], visible)
        return inputs

    def _drawn_rows(self) -> Tensor:
        """Rows of the bank that serve as negatives, the same in every process and pass of an update."""
        rows = len(self.bank.vectors)
        if self.num_negatives >= rows:
            return torch.arange(rows)
        seed = torch.Generator().manual_seed(self.seed * 1_000_003 + int(self.updates))
        return torch.randperm(rows, generator=seed)[: self.num_negatives]
