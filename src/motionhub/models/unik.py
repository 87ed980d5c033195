"""UNIK: an action encoder that learns which joints depend on which, for any skeleton layout.

Paper: Yang et al., "UNIK: A Unified Framework for Real-world Skeleton-based Action Recognition", BMVC 2021,
https://arxiv.org/abs/2107.08580. Official code: https://github.com/YangDi666/UNIK.

Deliberate deviations from the official code, all without effect on its numbers:
- heads are stored stacked and computed together; joints are mixed before the value projection;
- the official `bias` of the spatial unit, registered but never used, is not kept;
- `pooling="masked"` (default) leaves absent people and padded frames out exactly: padded frames are zero before every
  temporal convolution (as the border's zero padding) and enter neither attention (whose scale uses the clip's own
  length), nor batch statistics, nor means. Missing joints enter with the value the processor filled in.
  `pooling="official"` averages absent people and padded frames as zeros that went through the whole network;
- where code and paper differ, the code is the default and the paper an option.
"""

import math
from typing import Literal

from huggingface_hub.dataclasses import strict
from torch import nn

from motionhub.models.skeleton_encoder import SkeletonEncoder, SkeletonEncoderConfig
from motionhub.models.skeleton_heads import SkeletonForActionClassification, SkeletonForActionSegmentation
from motionhub.nn.graph_conv import DependencyAttention


@strict
class UnikConfig(SkeletonEncoderConfig):
    """Sizes and options of UNIK; the defaults are the official Posetics encoder.

    Args:
        layout, num_joints, in_channels, num_people, channels, strides, temporal_kernel, pooling, classifier_dropout,
            upsampling: see `SkeletonEncoderConfig`.
        dilations: of each block; None is 1 everywhere as in the official code, the thesis draws 1, 3, 3, 3, 3, 1, ...
        num_heads, first_block_heads: attention heads; the official first block has 3 whatever the others have.
        key_ratio: query and key have `channels // key_ratio` channels per head.
        tau: frames in a spatial window (odd); 1 is single frames.
        attention_scaling: `"official"` divides the logits by key channels * frames, `"none"` is the paper's formula.
        dependency_init: bound of the uniform initial dependency matrix, `"official"` 1/W or `"paper"` 1/sqrt(W).
        spatial_norm_init: initial scale of the spatial batch norms (tiny: blocks begin as temporal convolutions).

    Examples:
        >>> config = motionhub.UnikConfig(layout="coco-17", num_joints=17, num_labels=5)
        >>> config.hidden_size, config.frame_stride
        (256, 4)
    """

    model_type = "motionhub_unik"
    odd_sizes = ("tau", "temporal_kernel")

    num_heads: int = 3
    first_block_heads: int = 3
    key_ratio: int = 4
    tau: int = 1
    attention_scaling: Literal["official", "none"] = "official"
    dependency_init: Literal["official", "paper"] = "official"
    spatial_norm_init: float | int = 1e-6


class UnikModel(SkeletonEncoder):
    """The encoder: keypoints of a clip in, features per person, frame and joint and one vector per clip out.

    Examples:
        >>> import torch
        >>> config = motionhub.UnikConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17")
        >>> model = motionhub.UnikModel(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).pooler_output.shape
        torch.Size([1, 8])
    """

    config: UnikConfig

    def spatial_unit(self, index: int, in_channels: int, out_channels: int) -> nn.Module:
        """Dependency attention."""
        config = self.config
        positions = config.num_joints * config.tau
        bound = 1 / positions if config.dependency_init == "official" else 1 / math.sqrt(positions)
        return DependencyAttention(
            num_joints=config.num_joints,
            in_channels=in_channels,
            out_channels=out_channels,
            num_heads=config.num_heads if index else config.first_block_heads,
            key_channels=out_channels // config.key_ratio,
            tau=config.tau,
            scaled=config.attention_scaling == "official",
            initial_range=(-bound, bound),
            initial_scale=float(config.spatial_norm_init),
            **config.norm_options,
        )


class UnikForActionClassification(SkeletonForActionClassification):
    """One label per clip; logits without softmax.

    Examples:
        >>> import torch
        >>> config = motionhub.UnikConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17", num_labels=5)
        >>> model = motionhub.UnikForActionClassification(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).logits.shape
        torch.Size([1, 5])
    """

    config: UnikConfig
    encoder_class = UnikModel


class UnikForActionSegmentation(SkeletonForActionSegmentation):
    """Scores per input frame, several actions may be on at once; the head of LAC's visual encoder.

    Examples:
        >>> import torch
        >>> config = motionhub.UnikConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17", num_labels=5)
        >>> model = motionhub.UnikForActionSegmentation(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).logits.shape
        torch.Size([1, 30, 5])
    """

    config: UnikConfig
    encoder_class = UnikModel
