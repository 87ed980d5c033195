"""What models of motion retargeting share: output, people of a batch one by one, networks of Aberman et al. over time.

A network tensor is `(batch, rows * coordinates, frames)`, row-major, as the processor normalises. Its frames are a
multiple of `config.frame_stride` (8) and at least `config.min_frames`.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.skeleton_encoder import check_keypoints
from motionhub.nn.orthogonal_basis import OrthogonalBasis
from motionhub.nn.people import continue_clips, frames_of_people, frames_within


Inputs = Mapping[str, Tensor | None]
SLOPE = 0.2
_BORDER = 3  # frames reflected on either side, before kernels of 7 and 8


@dataclass
class MotionRetargetingOutput(ModelOutput):
    """What `forward` and `retarget` of every motion retargeting model return.

    Attributes:
        keypoints: `(B, M, T, V, C)` the motion made, as the checkpoint's processor would have made it of a clip;
            `processor.inverse(keypoints, sequence)` gives coordinates. People, frames and padding of the source.
        last_hidden_state: `(B, M, T', 1, C')` all codes side by side, zero for absent people and padded frames.
        pooler_output: `(B, C')` their mean over frames, then over people.
    """

    keypoints: Tensor | None = None
    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None


@dataclass
class UnpaddedPeople:
    """The people of a batch one by one, without padding.

    Args:
        motions: `(rows * coordinates, frames)` of each person that is present.
        places: (clip, person) of each.
        present: `(B, M)` bool.
        num_frames: of the batch, padding included.
    """

    motions: list[Tensor]
    places: list[tuple[int, int]]
    present: Tensor
    num_frames: int

    @classmethod
    def of(cls, inputs: Mapping[str, Tensor | None], config: Any) -> "UnpaddedPeople":
        """From `keypoints (B, M, T, rows, dims)` and `attention_mask (B, M, T)` or None.

        Raises:
            ValueError: the shapes do not fit the config's `num_joints` (rows) and `in_channels` (dims).
        """
        keypoints, attention_mask = inputs["keypoints"], inputs.get("attention_mask")
        assert keypoints is not None
        check_keypoints(keypoints, attention_mask, config)
        lengths = frames_of_people(keypoints, attention_mask)
        places = [(int(clip), int(person)) for clip, person in (lengths > 0).nonzero().tolist()]
        motions = [keypoints[place][: int(lengths[place])].flatten(1).T for place in places]
        return cls(motions, places, lengths > 0, keypoints.shape[2])

    def matching(self, source: "UnpaddedPeople", name: str) -> "UnpaddedPeople":
        """For each person of the source, the one of the same clip that it is paired with."""
        clips, people = self.present.shape
        if clips != source.present.shape[0]:
            raise ValueError(
                f"{name} must have as many clips as the source, got {clips} and {source.present.shape[0]}."
            )
        chosen = []
        for clip, person in source.places:
            place = (clip, person if people > 1 else 0)
            if place not in self.places:
                raise ValueError(
                    f"{name} has no person for person {person} of clip {clip}: its keypoints have {people} people, "
                    f"{int(self.present[clip].sum())} of them present; give one person, or as many as the source."
                )
            chosen.append(self.motions[self.places.index(place)])
        return UnpaddedPeople(chosen, source.places, source.present, source.num_frames)

    def padded(self, multiple: int, least: int) -> list[Tensor]:
        """The motions with their last frame repeated up to a multiple of so many frames, and at least `least`."""
        wanted = [max(-(-motion.shape[1] // multiple) * multiple, least) for motion in self.motions]
        pairs = zip(self.motions, wanted, strict=True)
        return [F.pad(motion, (0, frames - motion.shape[1]), mode="replicate") for motion, frames in pairs]

    def new_zeros(self, *sizes: int) -> Tensor:
        """`(B, M, *sizes)` in the type of the motions."""
        kind = self.motions[0] if self.motions else torch.zeros(0, device=self.present.device)
        return kind.new_zeros(*self.present.shape, *sizes)


def map_by_length(function: Callable[[Tensor], Tensor], items: list[Tensor]) -> list[Tensor]:
    """`function` of each item `(channels, frames)`; items of one length go together."""
    results: dict[int, Tensor] = {}
    for length in sorted({item.shape[-1] for item in items}):
        rows = [row for row, item in enumerate(items) if item.shape[-1] == length]
        together = function(torch.stack([items[row] for row in rows]))
        results.update(zip(rows, together, strict=True))
    return [results[row] for row in range(len(items))]


class MotionEncoder(nn.Module):
    """Three (or more) strided convolutions: `(batch, in, frames)` -> `(batch, channels[-1], frames / 2 ** layers)`."""

    def __init__(self, in_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        widths = [in_channels, *channels]
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=8, stride=2) for before, after in itertools.pairwise(widths)
        )

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`lengths (batch,)` of clips that are padded: up to their halves the same as without the padding."""
        for conv in self.convs:
            features = F.leaky_relu(conv(reflected(features, lengths)), SLOPE)
            lengths = None if lengths is None else lengths // 2
        return features


class MotionDecoder(nn.Module):
    """Codes per coarse frame -> motion: repeat every frame twice, convolve, once per layer; dropout as official."""

    def __init__(self, in_channels: int, channels: Sequence[int], dropout: float) -> None:
        super().__init__()
        widths = [in_channels, *channels]
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=7) for before, after in itertools.pairwise(widths)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, codes: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`lengths (batch,)` of codes that are padded: the frames made of them are the same as without the padding."""
        features = codes
        for index, conv in enumerate(self.convs):
            lengths = None if lengths is None else lengths * 2
            features = conv(reflected(features.repeat_interleave(2, dim=-1), lengths))
            if index < len(self.convs) - 1:
                features = F.leaky_relu(self.dropout(features), SLOPE)
        return features


def reflected(features: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The border frames mirrored outwards, as PyTorch's `ReflectionPad1d(3)`; needs four frames.

    With `lengths (batch,)` the mirror stands at the end of each clip, and what follows it has no meaning.
    """
    if lengths is None:
        return F.pad(features, (_BORDER, _BORDER), mode="reflect")
    frames = features.shape[-1]
    places = torch.arange(-_BORDER, frames + _BORDER, device=features.device).abs()
    last = lengths[:, None] - 1
    places = torch.where(places > last, 2 * last - places, places).clamp(0, frames - 1)
    return features.gather(-1, places[:, None].expand(-1, features.shape[1], -1))


def mean_within(features: Tensor, lengths: Tensor | None) -> Tensor:
    """`(batch, channels, frames)` -> `(batch, channels)`: mean over the first `lengths` frames, or over all."""
    if lengths is None:
        return features.mean(-1)
    within = frames_within(lengths, features.shape[-1])[:, None].to(features.dtype)
    return (features * within).sum(-1) / lengths.clamp(min=1)[:, None].to(features.dtype)


def fewest_frames(num_halvings: int) -> int:
    """The shortest clip whose frames can be reflected before the last of so many halving layers."""
    return (_BORDER + 1) * 2 ** (num_halvings - 1)


class MotionRetargetingModel(PreTrainedModel):
    """Convolutions over time on the people of a batch, each at its own length; a family defines `retarget`."""

    main_input_name = "keypoints"
    input_modalities = ["time"]
    takes_clips: ClassVar[str] = "retarget takes clips"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv1d | OrthogonalBasis):
            module.reset_parameters()

    @can_return_tuple
    def forward(
        self, keypoints: Tensor, joint_mask: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> MotionRetargetingOutput:
        """Encode a batch of clips and decode each person's own codes again.

        Args:
            keypoints: `(B, M, T, rows, dims)` as the processor makes them.
            joint_mask: accepted and not used: missing joints enter with their filled-in values.
            attention_mask: `(B, M, T)`; frames after a person's last True one are padding.

        Raises:
            ValueError: the shape does not fit the config.
        """
        if torch.compiler.is_compiling():  # a graph's shapes must not depend on data
            return self._padded_forward(keypoints, attention_mask)
        own = {"keypoints": keypoints, "attention_mask": attention_mask}
        return self.retarget(own, own)

    def _padded_forward(self, keypoints: Tensor, attention_mask: Tensor | None) -> MotionRetargetingOutput:
        """`forward` over all person slots, padded alike; absent people are computed and masked."""
        config, stride = self.config, self.config.frame_stride
        check_keypoints(keypoints, attention_mask, config)
        num_frames, frames = frames_of_people(keypoints, attention_mask), keypoints.shape[2]
        longest = max(-(-frames // stride) * stride, config.min_frames)
        whole = (-(-num_frames // stride) * stride).clamp(min=config.min_frames).flatten()
        motions = continue_clips(keypoints, num_frames, longest).flatten(3).flatten(0, 1).transpose(1, 2)
        codes = self.encode_padded(motions, whole).unflatten(0, num_frames.shape)
        made = self.decode_padded(codes.flatten(0, 1), whole // stride).unflatten(0, num_frames.shape)
        kept = frames_within(-(-num_frames // stride), -(-frames // stride)).unsqueeze(-1).to(made.dtype)
        hidden = codes.transpose(2, 3)[:, :, : kept.shape[2]] * kept
        seen = frames_within(num_frames, frames).unsqueeze(-1).to(made.dtype)
        pooled = hidden.sum(2) / kept.sum(2).clamp(min=1)
        return MotionRetargetingOutput(
            keypoints=(made.transpose(2, 3)[:, :, :frames] * seen).unflatten(-1, (config.num_joints, -1)),
            last_hidden_state=hidden.unsqueeze(3),
            pooler_output=pooled.sum(1) / (num_frames > 0).sum(1, keepdim=True).clamp(min=1),
        )

    def encode_padded(self, motions: Tensor, lengths: Tensor) -> Tensor:
        """Network tensors of `lengths (batch,)` frames -> codes `(batch, hidden_size, frames / 8)`."""
        raise NotImplementedError

    def decode_padded(self, codes: Tensor, lengths: Tensor) -> Tensor:
        """Codes of `lengths (batch,)` coarse frames -> network tensors."""
        decoder: Any = self.decoder
        made: Tensor = decoder(codes, lengths)
        return made

    def retarget(self, source: Inputs, target: Inputs) -> MotionRetargetingOutput:
        """The motion of `source` on the body of `target`."""
        raise NotImplementedError

    def _padded(self, people: UnpaddedPeople) -> list[Tensor]:
        """Network tensors without the batch axis, each long enough for the network."""
        return people.padded(self.config.frame_stride, self.config.min_frames)

    def _check_network_tensor(self, motion: Tensor) -> None:
        config = self.config
        channels, stride = config.num_joints * config.in_channels, config.frame_stride
        fits = motion.dim() == 3 and motion.shape[1] == channels
        if not fits or motion.shape[2] % stride or motion.shape[2] < config.min_frames:
            raise ValueError(
                f"{type(self).__name__} expects network tensors (batch, {channels}, frames), frames a multiple of "
                f"{stride} and at least {config.min_frames}, got {tuple(motion.shape)}; {self.takes_clips} of any "
                "length as processed."
            )

    def _output(
        self, people: UnpaddedPeople, codes: list[Tensor], made: list[Tensor], frames: list[int], num_frames: int
    ) -> MotionRetargetingOutput:
        """Of each person: codes `(T', hidden_size)`, network tensor `(channels, T)`, and frames of them to keep."""
        config = self.config
        hidden = people.new_zeros(-(-num_frames // config.frame_stride), config.hidden_size)
        keypoints = people.new_zeros(num_frames, config.num_joints * config.in_channels)
        pooled = people.new_zeros(config.hidden_size)
        for (clip, person), code, result, length in zip(people.places, codes, made, frames, strict=True):
            kept = code[: -(-length // config.frame_stride)]
            hidden[clip, person, : len(kept)] = kept
            keypoints[clip, person, :length] = result[:, :length].T
            pooled[clip, person] = kept.mean(dim=0)
        present = people.present.sum(dim=1, keepdim=True).clamp(min=1)
        return MotionRetargetingOutput(
            keypoints=keypoints.unflatten(-1, (config.num_joints, config.in_channels)),
            last_hidden_state=hidden.unsqueeze(3),
            pooler_output=pooled.sum(dim=1) / present,
        )
