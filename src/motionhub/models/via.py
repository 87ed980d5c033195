"""ViA: UNIK features as motion plus character (body and view), learned by retargeting motions, then used for actions.

Paper: Yang et al., "View-invariant Skeleton Action Representation Learning via Motion Retargeting", IJCV 2024,
https://arxiv.org/abs/2209.00065; no official repository. The encoder that the authors published with its sequel LAC
(`UNIK_Encoder`) is ViA's; the numbers here are checked against it.

K orthonormal directions split the features r of a clip, one vector per eight frames: the mean of r over time,
projected onto them, is the character c, one vector per clip; motion is m = r - c. A decoder makes the clip of m + c,
and of m + c' the same motion on the body, and in the view, of another.

Where paper and code are silent, differ, or were left:
- K is 32 (the paper's best; the code has 64). c projects the mean over time (code, eq. 5; eq. 2 reads as per frame).
- The decoder is that of Aberman et al. (table 1 gives its convolutions only).
- The official 3-D input is written joint by joint and read axis by axis, which scrambles coordinates:
  `coordinate_order="official"` repeats that for weights trained so.
- Every person has codes of their own. The official encoder averages people first, which for the means is the same.
- Any length: the last frame of a clip is repeated up to a multiple of eight frames (at least 16, for the reflected
  borders), the codes are of that clip, and what is decoded is cut again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.motion_model import EncoderInsideConfig, HeadOutput
from motionhub.models.motion_retargeting import Inputs, MotionDecoder, MotionRetargetingOutput, fewest_frames
from motionhub.models.skeleton_encoder import check_keypoints
from motionhub.models.unik import UnikConfig, UnikModel
from motionhub.nn.heads import clip_loss
from motionhub.nn.orthogonal_basis import OrthogonalBasis
from motionhub.nn.people import continue_clips, frames_of_people, frames_within


FRAMES_POOLED = 2  # features of so many encoder frames are averaged into one code, official


@strict
class ViaConfig(EncoderInsideConfig):
    """Sizes and options of ViA; the defaults are the journal paper's on Posetics.

    Args:
        encoder_config: the UNIK inside; None: the official Posetics encoder. Its `pooling` must be `"masked"`.
        num_directions: K, directions that span what a character can be; 0: no decomposition, everything is motion.
        decoder_channels: output channels of the decoder's layers but the last; None: [128, 64]. One layer per halving
            of the frames.
        dropout: in the decoder, after every layer but the last.
        features: what `pooler_output` averages and a head classifies, `"motion"` (m, "E_Pose stacked with LMD") or
            `"full"` (r).
        coordinate_order: how the encoder reads the coordinates of a frame, see the module.
        classifier_dropout: dropout before the classification head.
    """

    model_type = "motionhub_via"
    may_be_zero = ("num_directions",)
    sub_configs_defaults: ClassVar[dict[str, Any]] = {"encoder_config": UnikConfig}
    default_lists = {"decoder_channels": [128, 64]}
    variant = "view"  # retargeting gives body and view of the target, together (see the pipeline)

    encoder_config: dict | UnikConfig | None = None
    num_directions: int = 32
    decoder_channels: list[int] | None = None
    dropout: float | int = 0.2
    features: Literal["motion", "full"] = "motion"
    coordinate_order: Literal["joint-major", "official"] = "joint-major"
    classifier_dropout: float | int = 0.0

    def validate_directions(self) -> None:
        if not 0 <= self.num_directions <= self.hidden_size:
            raise ValueError(
                f"ViaConfig expects num_directions in 0..{self.hidden_size} (the channels of its encoder), got "
                f"{self.num_directions}."
            )
        made = 2 ** (len(self.decoder_channels or []) + 1)
        if made != self.frame_stride:
            raise ValueError(
                f"The decoder makes {made} frames of a code (decoder_channels={self.decoder_channels}), the encoder a "
                f"code of {self.frame_stride} (strides={self.encoder.strides}, then {FRAMES_POOLED}); they must "
                "agree: one decoder layer per halving, decoder_channels one shorter."
            )
        if self.encoder.pooling != "masked":
            raise ValueError("ViaConfig expects encoder_config with pooling='masked': each person has its own codes.")

    @property
    def frame_stride(self) -> int:
        """Input frames per code."""
        return int(self.encoder.frame_stride) * FRAMES_POOLED

    @property
    def min_frames(self) -> int:
        """Frames that a clip is padded to at least."""
        return max(fewest_frames(len(self.decoder_channels or []) + 1), self.frame_stride)


@dataclass
class ViaOutput(ModelOutput):
    """The codes of a batch; absent people are zeros everywhere.

    Attributes:
        last_hidden_state: `(B, M, ceil(T / 8), 1, C)` codes over time, of `config.features`.
        pooler_output: `(B, C)` their mean over the clip, then over people.
        motion: `(B, M, T', C)` m over the clip as it was continued, zeros after a person's last code.
        character: `(B, M, C)` c.
        magnitudes: `(B, M, K)` how far c reaches along each direction.
        num_frames: `(B, M)` frames of each person's clip before it was continued; 0 for absent people.
    """

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None
    motion: Tensor | None = None
    character: Tensor | None = None
    magnitudes: Tensor | None = None
    num_frames: Tensor | None = None


class ViaPreTrainedModel(PreTrainedModel):
    """Loading, saving and initialisation; the UNIK inside initialises itself."""

    config: ViaConfig
    base_model_prefix = "via"
    main_input_name = "keypoints"
    input_modalities = ["time"]
    supports_gradient_checkpointing = True
    _no_split_modules = ["JointBlock"]
    # Loading a folder with one head as the base, or with another head, is intended.
    _keys_to_ignore_on_load_unexpected = [r"^classifier\.", r"^decoder\."]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, OrthogonalBasis | nn.Conv1d):
            module.reset_parameters()
        elif isinstance(module, nn.Linear):  # the classifier, as UNIK's
            init.normal_(module.weight, std=(2 / module.out_features) ** 0.5)
            bound = module.in_features**-0.5
            init.uniform_(module.bias, -bound, bound)


class ViaModel(ViaPreTrainedModel):
    """The encoder with its decomposition: keypoints in, motion and character out."""

    def __init__(self, config: ViaConfig) -> None:
        super().__init__(config)
        self.encoder = UnikModel(config.encoder)
        self.basis = OrthogonalBasis(config.hidden_size, config.num_directions) if config.num_directions else None
        self.post_init()

    @can_return_tuple
    def forward(
        self, keypoints: Tensor, joint_mask: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> ViaOutput:
        """Encode a batch of clips.

        Args:
            keypoints: `(B, M, T, V, C)` finite numbers as the processor makes them; M may be below `num_people`.
            joint_mask: accepted and not used: missing joints enter with their filled-in values.
            attention_mask: `(B, M, T)`; frames after a person's last True one are padding; without any it is absent.

        Raises:
            ValueError: the shape does not fit the config.
        """
        check_keypoints(keypoints, attention_mask, self.config.encoder)
        num_frames = frames_of_people(keypoints, attention_mask)
        whole, step = self.whole_frames(num_frames), self.config.frame_stride
        longest = max(-(-keypoints.shape[2] // step) * step, self.config.min_frames)
        valid = frames_within(whole, longest)
        continued = self.in_order(continue_clips(keypoints, num_frames, longest))
        features = self.encoder(continued, attention_mask=valid).last_hidden_state.mean(3)
        features = features.unflatten(2, (-1, FRAMES_POOLED)).mean(3)
        stride = self.config.frame_stride
        mean = features.sum(2) / (whole // stride).clamp(min=1).unsqueeze(-1).to(features.dtype)
        magnitudes, character = self.decompose(mean)
        motion = (features - character.unsqueeze(2)) * valid[:, :, ::stride, None].to(features.dtype)
        codes, pooled = (motion, mean - character) if self.config.features == "motion" else (features, mean)
        people = (num_frames > 0).sum(1, keepdim=True).clamp(min=1).to(pooled.dtype)
        return ViaOutput(
            last_hidden_state=codes[:, :, : -(-keypoints.shape[2] // stride)].unsqueeze(3),
            pooler_output=pooled.sum(1) / people,
            motion=motion,
            character=character,
            magnitudes=magnitudes,
            num_frames=num_frames,
        )

    def decompose(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Magnitudes `(..., K)` and character `(..., C)` of features `(..., C)`: the projection on the directions."""
        if self.basis is None:
            return features[..., :0], torch.zeros_like(features)
        directions = self.basis().to(features.dtype)
        magnitudes = features @ directions
        return magnitudes, magnitudes @ directions.mT

    def whole_frames(self, num_frames: Tensor) -> Tensor:
        """Frames that clips of `num_frames` are continued to; 0 stays 0."""
        stride = self.config.frame_stride
        whole = (num_frames + stride - 1) // stride * stride
        return torch.where(num_frames > 0, whole.clamp(min=self.config.min_frames), 0)

    def in_order(self, keypoints: Tensor) -> Tensor:
        """Coordinates as the encoder's weights read them (`coordinate_order`)."""
        if self.config.coordinate_order == "joint-major":
            return keypoints
        joints, dims = keypoints.shape[-2:]
        return keypoints.flatten(-2).unflatten(-1, (dims, joints)).transpose(-1, -2)

    def export_encoder(self, folder: str | Path) -> None:
        """Save the UNIK inside as a folder of its own, for every task of UNIK (its processor is the same).

        Raises:
            ValueError: its weights read scrambled coordinates, which UNIK does not.
        """
        if self.config.coordinate_order != "joint-major":
            raise ValueError(
                "With coordinate_order='official' the encoder's weights read scrambled coordinates, which a UNIK has "
                "no option for; fine-tune ViaForActionClassification instead."
            )
        self.encoder.save_pretrained(folder)


class ViaForMotionRetargeting(ViaPreTrainedModel):
    """Encoder, decomposition and decoder: `retarget` puts a motion on the body, and in the view, of another."""

    def __init__(self, config: ViaConfig) -> None:
        super().__init__(config)
        assert config.decoder_channels is not None
        channels = [*config.decoder_channels, config.num_joints * config.in_channels]
        self.via = ViaModel(config)
        self.decoder = MotionDecoder(config.hidden_size, channels, float(config.dropout))
        self.post_init()

    @can_return_tuple
    def forward(
        self, keypoints: Tensor, joint_mask: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> MotionRetargetingOutput:
        """Encode a batch of clips (see `ViaModel.forward`) and decode each person's own codes again."""
        codes = self.via(keypoints, attention_mask=attention_mask)
        return self._output(codes, codes.character, keypoints)

    def retarget(self, source: Inputs, target: Inputs) -> MotionRetargetingOutput:
        """The motion of `source` on the body and in the view of `target`.

        Args:
            source, target: `keypoints (B, M, T, V, C)` and `attention_mask (B, M, T)` (or None) as the processor
                makes them; lengths are free. `target` has one person for all of the source's, or as many.

        Raises:
            ValueError: a shape does not fit the config, or `target` lacks a person that the source has.
        """
        keypoints, others = source["keypoints"], target["keypoints"]
        assert keypoints is not None and others is not None
        moving = self.via(keypoints, attention_mask=source.get("attention_mask"))
        looks = self.via(others, attention_mask=target.get("attention_mask"))
        check_looks(looks.num_frames, moving.num_frames)
        return self._output(moving, looks.character.expand_as(moving.character), keypoints)

    def decode(self, motion: Tensor, character: Tensor, num_frames: Tensor) -> Tensor:
        """Clips of m + c: `(B, M, T' * 8, V, C)`, zeros after the `num_frames (B, M)` of each.

        Args:
            motion: `(B, M, T', channels)` as in `ViaOutput`.
            character: `(B, M, channels)`.
        """
        whole = self.via.whole_frames(num_frames).flatten()
        codes = (motion + character.unsqueeze(2)).flatten(0, 1).transpose(1, 2)
        frames = codes.shape[2] * self.config.frame_stride
        if torch.compiler.is_compiling():  # a graph's shapes must not depend on data
            made = self.decoder(codes, whole.clamp(min=self.config.min_frames) // self.config.frame_stride).mT
            made = made * frames_within(num_frames.flatten(), frames).unsqueeze(2).to(made.dtype)
            return made.unflatten(2, (self.config.num_joints, -1)).unflatten(0, tuple(num_frames.shape))
        made = codes.new_zeros(len(codes), frames, self.config.num_joints * self.config.in_channels)
        for length in sorted(set(whole.tolist()) - {0}):  # by length: borders are reflected where a clip ends
            people = (whole == length).nonzero().squeeze(1)
            decoded = self.decoder(codes[people, :, : length // self.config.frame_stride]).transpose(1, 2)
            padded = nn.functional.pad(decoded, (0, 0, 0, frames - decoded.shape[1]))
            made = made.index_copy(0, people, padded.to(made.dtype))
        made = made * frames_within(num_frames.flatten(), frames).unsqueeze(2).to(made.dtype)
        return made.unflatten(2, (self.config.num_joints, -1)).unflatten(0, tuple(num_frames.shape))

    def _output(self, codes: Any, character: Tensor, keypoints: Tensor) -> MotionRetargetingOutput:
        made = self.decode(codes.motion, character, codes.num_frames)
        return MotionRetargetingOutput(
            keypoints=made[:, :, : keypoints.shape[2]],
            last_hidden_state=codes.last_hidden_state,
            pooler_output=codes.pooler_output,
        )


class ViaForActionClassification(ViaPreTrainedModel):
    """One label per clip: the mean of the codes, dropout, one linear layer; logits without softmax."""

    def __init__(self, config: ViaConfig) -> None:
        super().__init__(config)
        self.via = ViaModel(config)
        self.dropout = nn.Dropout(float(config.classifier_dropout))
        self.classifier = nn.Linear(config.hidden_size, config.num_classes)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> HeadOutput:
        """As `ViaModel`; `labels (B,)` integers give the mean cross entropy, negative ones (unknown) do not count."""
        pooled = self.via(keypoints, attention_mask=attention_mask).pooler_output
        logits = self.classifier(self.dropout(pooled))
        return HeadOutput(loss=None if labels is None else clip_loss(logits, labels), logits=logits)


def check_looks(looks: Tensor, moving: Tensor) -> None:
    """ValueError unless the target's people (frames of each, `(B, 1 or M)`) serve all of the source's, `(B, M)`."""
    clips, people = moving.shape
    if looks.shape[0] != clips or looks.shape[1] not in (1, people):
        raise ValueError(
            f"target must have as many clips as the source and one person, or as many, got {tuple(looks.shape)} "
            f"(clips, people) for a source of {(clips, people)}."
        )
    missing = (looks == 0) & (moving > 0)
    if bool(missing.any()):
        clip, person = missing.nonzero()[0].tolist()
        raise ValueError(
            f"target has no person for person {person} of clip {clip}; give one person, or as many as the source has."
        )
