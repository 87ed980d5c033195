"""Heads over a joint encoder: one label per clip, or scores per frame, also of clips of any length by windows."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils import can_return_tuple

from motionhub.models.motion_model import HeadOutput
from motionhub.models.skeleton_encoder import (
    SkeletonEncoderConfig,
    SkeletonEncoderOutput,
    SkeletonPreTrainedModel,
)
from motionhub.nn.heads import clip_loss, frame_cross_entropy, frame_loss, to_frame_rate
from motionhub.nn.people import frames_of_clip
from motionhub.runtime.answers import window_starts


class JointHead(SkeletonPreTrainedModel):
    """The encoder, dropout, one linear layer; a head states which part of the encoder's output the layer takes."""

    encoder_class: type[SkeletonPreTrainedModel]

    def __init__(self, config: SkeletonEncoderConfig) -> None:
        super().__init__(config)
        self.encoder = self.encoder_class(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(self.head_size(config), config.num_classes)
        self.post_init()

    @staticmethod
    def head_size(config: Any) -> int:
        """Channels of what the layer takes."""
        return int(config.hidden_size)

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> HeadOutput:
        """Inputs as the encoder's; `labels` as `loss_of` takes them."""
        outputs = self.encoder(
            keypoints,
            joint_mask=joint_mask,
            attention_mask=attention_mask,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            return_dict=True,
        )
        clip_mask = frames_of_clip(attention_mask)
        logits = self.logits_of(outputs, keypoints.shape[2], clip_mask)
        return HeadOutput(
            loss=None if labels is None else self.loss_of(logits, labels, clip_mask),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            dependencies=outputs.dependencies,
        )

    def logits_of(self, outputs: SkeletonEncoderOutput, frames: int, clip_mask: Tensor | None) -> Tensor:
        """Logits of the encoder's output, for clips of so many frames."""
        raise NotImplementedError

    def loss_of(self, logits: Tensor, labels: Tensor, clip_mask: Tensor | None) -> Tensor:
        """The loss of logits."""
        raise NotImplementedError


class SkeletonForActionClassification(JointHead):
    """One label per clip: logits `(B, num_labels)` without softmax."""

    def logits_of(self, outputs: SkeletonEncoderOutput, frames: int, clip_mask: Tensor | None) -> Tensor:
        """Of the pooled features."""
        return self.classifier(self.dropout(outputs.pooler_output))

    def loss_of(self, logits: Tensor, labels: Tensor, clip_mask: Tensor | None) -> Tensor:
        """Mean cross entropy of integers `labels (B,)`; negative ones (unknown) do not count."""
        return clip_loss(logits, labels)


class SkeletonForActionSegmentation(JointHead):
    """Scores per input frame, logits `(B, T, num_labels)`: several actions may be on at once (sigmoid), or with
    `config.problem_type="single_label_classification"` one at a time (softmax).

    The encoder scores every `frame_stride`-th frame; here these scores return to the input rate, score k
    standing at input frame `k * frame_stride`: in between `"linear"` interpolates, `"repeat"` holds.
    """

    def logits_of(self, outputs: SkeletonEncoderOutput, frames: int, clip_mask: Tensor | None) -> Tensor:
        """Of the features of every frame, averaged over joints and people."""
        assert outputs.last_hidden_state is not None
        coarse = self.coarse_logits(outputs.last_hidden_state, clip_mask)
        return to_frame_rate(coarse, frames, self.config.frame_stride, self.config.upsampling, lengths_of(clip_mask))

    def loss_of(self, logits: Tensor, labels: Tensor, clip_mask: Tensor | None) -> Tensor:
        """Of `labels (B, T, num_labels)` of 0 and 1 the mean binary cross entropy over the frames of each clip.

        Negative entries (unknown) do not count. Of one action at a time: the mean cross entropy over the frames that
        have one.
        """
        loss_function = frame_cross_entropy if self.exclusive else frame_loss
        return loss_function(logits, labels, lengths_of(clip_mask))

    @property
    def exclusive(self) -> bool:
        """Whether a frame has one action at most; otherwise each has a probability of its own."""
        return bool(self.config.problem_type == "single_label_classification")

    def coarse_logits(self, last_hidden_state: Tensor, clip_mask: Tensor | None = None) -> Tensor:
        """Scores at the encoder's frame rate, `(B, T', num_labels)`; features are averaged over joints and people."""
        features = last_hidden_state.mean(3)
        if clip_mask is None or self.config.pooling == "official":
            features = features.mean(1)
        else:
            people = clip_mask[:, :, :: self.config.frame_stride].unsqueeze(-1).to(features.dtype)
            features = features.mul(people).sum(1) / people.sum(1).clamp(min=1)
        return self.classifier(self.dropout(features))

    @torch.no_grad()
    def predict_windows(
        self,
        keypoints: Tensor,
        attention_mask: Tensor | None = None,
        *,
        window: int,
        hop: int | None = None,
        batch_size: int = 16,
    ) -> Tensor:
        """Logits `(B, T, num_labels)` of clips of any length, from windows of `window` frames every `hop` frames.

        Windows see nothing outside themselves; where they overlap (`hop < window`, default no overlap) logits are
        averaged. Each clip's last window ends with the clip; padded frames and clips
        without a person get zeros. For a clip no longer than the window the result is that of one forward call.
        """
        clip_mask = frames_of_clip(attention_mask)
        logits = keypoints.new_zeros(keypoints.shape[0], keypoints.shape[2], self.config.num_classes)
        for index, clip in enumerate(keypoints):
            mask = None if clip_mask is None else clip_mask[index]
            frames = keypoints.shape[2] if mask is None else int(mask.any(0).sum())
            if not frames:  # no person: zeros
                continue
            starts = window_starts(frames, window, hop or window)
            counts = logits.new_zeros(frames, 1)
            for group in (starts[first : first + batch_size] for first in range(0, len(starts), batch_size)):
                parts = [slice(start, min(start + window, frames)) for start in group]
                masks = None if mask is None else torch.stack([mask[:, part] for part in parts])
                scores = self(torch.stack([clip[:, part] for part in parts]), attention_mask=masks).logits
                for part, score in zip(parts, scores, strict=True):
                    logits[index, part] += score
                    counts[part] += 1
            logits[index, :frames] /= counts
        return logits


def lengths_of(clip_mask: Tensor | None) -> Tensor | None:
    """`(B,)` frames with a person."""
    return None if clip_mask is None else clip_mask.any(1).sum(1)
