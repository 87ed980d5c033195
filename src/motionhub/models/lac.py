"""LAC's generator: a motion as magnitudes along learned directions, so that motions are added and bodies swapped.

Paper: Yang et al., "LAC: Latent Action Composition for Skeleton-based Action Segmentation", ICCV 2023,
https://arxiv.org/abs/2308.14500. Official code: https://github.com/walker1126/Latent_Action_Composition. No weights
exist: what the authors published as the generator is the `view` network of Aberman et al. (RetargetNet).

An encoder gives a feature per eight frames. An orthonormal basis splits the feature space into
`num_motion_directions`, along which magnitudes change over time, and `num_static_directions`, along which they are
the mean over the clip (body and view). The decoder makes a motion of the sum of both parts. Composing motions is the
mean of their motion magnitudes.

Deliberate deviations from the official code, without effect on its numbers where both are defined:
- the decoder's activation, missing in the published code, is LeakyReLU(0.2) after all but the last layer;
- clips of any length and several people, each as if alone. `last_hidden_state` holds the motion magnitudes, then the
  static ones;
- more than two motions can be composed, and the mean is over all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor

from motionhub.models.motion_model import MotionConfig
from motionhub.models.motion_retargeting import (
    Inputs,
    MotionDecoder,
    MotionEncoder,
    MotionRetargetingModel,
    MotionRetargetingOutput,
    UnpaddedPeople,
    fewest_frames,
    map_by_length,
    mean_within,
)
from motionhub.nn.orthogonal_basis import OrthogonalBasis


@strict
class LacConfig(MotionConfig):
    """Sizes of the generator; the defaults are the official ones.

    Args:
        layout: name of the skeleton layout the weights expect (read by processors and pipelines).
        num_joints: rows of the input: what the processor gives for a frame of a person. 15 are the joints of `lac-15`
            without the root, and the root's velocity (RetargetProcessor).
        in_channels: coordinates of a row.
        encoder_channels: output channels of each layer of the encoder, which halves the frames.
        decoder_channels: output channels of the decoder's layers but the last.
        num_motion_directions, num_static_directions: of the basis; together at most the last encoder channels.
        basis_signs: `"positive"`, or as official `"householder"`: the same motions, magnitudes of other signs; see
            `OrthogonalBasis`.
        dropout: in the decoder, after every layer but the last.

    Examples:
        >>> motionhub.LacConfig(num_motion_directions=64).encoder_channels
        [64, 96, 160]
    """

    model_type = "motionhub_lac"
    variant = "view"  # retargeting gives body and view of the target, together (see the pipeline)
    default_lists = {"encoder_channels": [64, 96, 160], "decoder_channels": [128, 64]}

    layout: str = "lac-15"
    num_joints: int = 15
    in_channels: int = 2
    encoder_channels: list[int] | None = None
    decoder_channels: list[int] | None = None
    num_motion_directions: int = 128
    num_static_directions: int = 32
    basis_signs: Literal["positive", "householder"] = "positive"
    dropout: float | int = 0.2

    def validate_channels(self) -> None:
        if len(self.decoder_channels or []) + 1 != len(self.encoder_channels or []):
            raise ValueError(
                f"LacConfig expects one decoder layer per encoder layer (decoder_channels one shorter than "
                f"encoder_channels), got {self.encoder_channels} and {self.decoder_channels}."
            )
        channels = (self.encoder_channels or [0])[-1]
        if self.hidden_size > channels:
            raise ValueError(
                f"LacConfig expects at most {channels} directions (the last of encoder_channels) together, got "
                f"{self.num_motion_directions} and {self.num_static_directions}."
            )

    @property
    def hidden_size(self) -> int:
        """Directions of motion and static magnitudes together."""
        return self.num_motion_directions + self.num_static_directions

    @property
    def frame_stride(self) -> int:
        """Input frames per frame of the magnitudes; a network tensor has a multiple of it."""
        return int(2 ** len(self.encoder_channels or []))

    @property
    def min_frames(self) -> int:
        """Frames that a network tensor has at least."""
        return fewest_frames(len(self.encoder_channels or []))


@dataclass
class LacCodes:
    """Motion and static parts of a clip; `T'` is frames / 8.

    Attributes:
        motion_magnitudes: `(batch, T', num_motion_directions)`.
        static_magnitudes: `(batch, num_static_directions)`.
        motion: `(batch, channels, T')` the motion's part of the feature space.
        static: `(batch, channels, 1)` the part of body and view.
    """

    motion_magnitudes: Tensor
    static_magnitudes: Tensor
    motion: Tensor
    static: Tensor


class LacModel(MotionRetargetingModel):
    """The generator. `encode`, `decode`, `transfer` and `mix` take network tensors, the rest processor output.

    Examples:
        >>> import torch
        >>> model = motionhub.LacModel(motionhub.LacConfig()).eval()
        >>> source, target = torch.randn(2, 1, 1, 40, 15, 2)
        >>> with torch.no_grad():
        ...     made = model.retarget({"keypoints": source}, {"keypoints": target})
        >>> made.keypoints.shape
        torch.Size([1, 1, 40, 15, 2])
    """

    config: LacConfig
    base_model_prefix = "lac"
    takes_clips: ClassVar[str] = "retarget(source, target) and compose(motions) take clips"

    def __init__(self, config: LacConfig) -> None:
        super().__init__(config)
        assert config.encoder_channels and config.decoder_channels
        channels = config.num_joints * config.in_channels
        self.encoder = MotionEncoder(channels, config.encoder_channels)
        self.basis = OrthogonalBasis(config.encoder_channels[-1], config.hidden_size, signs=config.basis_signs)
        self.decoder = MotionDecoder(
            config.encoder_channels[-1], [*config.decoder_channels, channels], float(config.dropout)
        )
        self.post_init()

    # On network tensors

    def encode(self, motion: Tensor, lengths: Tensor | None = None) -> LacCodes:
        """`(batch, rows * coordinates, frames)`, padded after `lengths (batch,)` frames -> magnitudes and features.

        The change over time of the static part is dropped: motion + static is not the encoder's feature.
        """
        self._check_network_tensor(motion)
        coarse = None if lengths is None else lengths // self.config.frame_stride
        features = self.encoder(motion, lengths).mT
        basis = self.basis()
        moving, still = basis.split([self.config.num_motion_directions, self.config.num_static_directions], dim=1)
        motion_magnitudes = features @ moving
        static_magnitudes = mean_within(features.mT, coarse) @ still
        return LacCodes(
            motion_magnitudes,
            static_magnitudes,
            (motion_magnitudes @ moving.mT).mT,
            (static_magnitudes @ still.mT).unsqueeze(-1),
        )

    def decode(self, motion: Tensor, static: Tensor) -> Tensor:
        """Features `(batch, channels, T')` and `(batch, channels, 1)` -> `(batch, rows * coordinates, 8 T')`."""
        return self.decoder(motion + static)

    def transfer(self, source: Tensor, target: Tensor) -> Tensor:
        """The motion of `source` with the body and view of `target`; they may differ in frames."""
        return self.decode(self.encode(source).motion, self.encode(target).static)

    def mix(self, motions: Sequence[Tensor], static: Tensor) -> Tensor:
        """All `motions`, of as many frames, at once (the mean of their magnitudes), with the static of `static`."""
        mixed = torch.stack([self.encode(motion).motion for motion in motions]).mean(0)
        return self.decode(mixed, self.encode(static).static)

    # On the processor's output

    def retarget(self, source: Inputs, target: Inputs) -> MotionRetargetingOutput:
        """The motion of `source` on the body, and in the view, of `target`; lengths are free.

        Args:
            source, target: `keypoints` and `attention_mask` as in `forward`. `target` has one person for all of the
                source's, or as many.

        Raises:
            ValueError: a shape does not fit the config, or `target` has no person.
        """
        return self.compose([source], static_of=0 if target is source else target)

    def compose(self, motions: Sequence[Inputs], static_of: int | Inputs = 0) -> MotionRetargetingOutput:
        """Several motions at once, by one person: the mean of their motion magnitudes, person by person.

        The composition has the people of the first motion and lasts as long as the shortest of them all.

        Args:
            motions: one or more, `keypoints` and `attention_mask` as in `forward`. Each has one person for all of the
                first motion's, or as many.
            static_of: the clip that gives body and view: the index of one of the motions, or another clip.

        Raises:
            ValueError: a shape does not fit the config, or a clip has no person where the first motion has one.
        """
        people = self._matching(motions)
        codes = [self._magnitudes(each) for each in people]
        if not isinstance(static_of, int):
            statics = self._magnitudes(UnpaddedPeople.of(static_of, self.config).matching(people[0], "static_of"))
        elif 0 <= static_of < len(people):
            statics = codes[static_of]
        else:
            raise ValueError(f"static_of must be 0..{len(people) - 1}, one of the motions, got {static_of}.")
        each_person = zip(*(one.motions for one in people), strict=True)
        frames = [min(motion.shape[1] for motion in motions_of_one) for motions_of_one in each_person]
        mixed, moving = [], self.config.num_motion_directions
        for person, length in enumerate(frames):
            coarse = max(-(-length // self.config.frame_stride), self.config.min_frames // self.config.frame_stride)
            mean = torch.stack([code[person][:coarse, :moving] for code in codes]).mean(0)
            mixed.append(torch.cat([mean, statics[person][:1, moving:].expand(coarse, -1)], dim=1))
        return self._decoded(people[0], mixed, frames, min(one.num_frames for one in people))

    def walk(self, motion: Inputs, direction: int, amounts: Sequence[float]) -> Tensor:
        """What one direction of the basis does: its magnitude raised by each of `amounts` in all frames.

        Args:
            motion: `keypoints` and `attention_mask` as in `forward`.
            direction: 0 to `num_motion_directions - 1` are the motion's, those after them the static ones.
            amounts: 0 is the reconstruction; see `last_hidden_state` of `forward` for usual magnitudes.

        Returns:
            `(amounts, B, M, T, rows, dims)`.
        """
        if not 0 <= direction < self.config.hidden_size:
            raise ValueError(f"direction must be 0..{self.config.hidden_size - 1}, got {direction}.")
        people = UnpaddedPeople.of(motion, self.config)
        frames = [own.shape[1] for own in people.motions]
        codes, steps = self._magnitudes(people), []
        for amount in amounts:
            moved = [code.clone() for code in codes]
            for code in moved:
                code[:, direction] += amount
            made = self._decoded(people, moved, frames, people.num_frames).keypoints
            assert made is not None
            steps.append(made)
        return torch.stack(steps)

    def _matching(self, motions: Sequence[Inputs]) -> list[UnpaddedPeople]:
        if not motions:
            raise ValueError("A composition needs one or more motions, got none.")
        first = UnpaddedPeople.of(motions[0], self.config)
        others = []
        for number, motion in enumerate(motions[1:], start=1):
            people = UnpaddedPeople.of(motion, self.config)
            chosen = people.matching(first, f"motion {number}")
            others.append(replace(chosen, num_frames=people.num_frames))
        return [first, *others]

    def _magnitudes(self, people: UnpaddedPeople) -> list[Tensor]:
        """`(T', hidden_size)` of each person: motion magnitudes, then the static ones in every frame."""
        return map_by_length(self._side_by_side, self._padded(people))

    def _side_by_side(self, motions: Tensor, lengths: Tensor | None = None) -> Tensor:
        codes = self.encode(motions, lengths)
        still = codes.static_magnitudes[:, None].expand(-1, codes.motion_magnitudes.shape[1], -1)
        return torch.cat([codes.motion_magnitudes, still], dim=-1)

    def encode_padded(self, motions: Tensor, lengths: Tensor) -> Tensor:
        """All magnitudes of clips that are padded."""
        return self._side_by_side(motions, lengths).mT

    def decode_padded(self, codes: Tensor, lengths: Tensor) -> Tensor:
        """Magnitudes -> features -> network tensors."""
        return self.decoder(self.basis() @ codes, lengths)

    def _decoded(
        self, people: UnpaddedPeople, magnitudes: list[Tensor], frames: list[int], num_frames: int
    ) -> MotionRetargetingOutput:
        basis = self.basis()
        made = map_by_length(self.decoder, [(code @ basis.mT).T for code in magnitudes])
        return self._output(people, magnitudes, made, frames, num_frames)
