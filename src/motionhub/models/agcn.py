"""2s-AGCN: an action encoder on the skeleton's graph, whose edges are given, learned and attended to at once.

Paper: Shi et al., "Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based Action Recognition", CVPR 2019,
https://arxiv.org/abs/1805.07694. Official code: https://github.com/lshiwjx/2s-AGCN.

The blocks are UNIK's with a window of one frame (UNIK was made of this code); only the matrices differ: three subsets
of the layout's graph (every joint itself, towards the parent, towards the child) plus a free matrix, instead of a free
matrix alone.

Deliberate deviations from the official code, all without effect on its numbers:
- the graph, which official files do not hold, is built from `layout` and saved with the weights;
- the first block takes `in_channels`, where the official code has 3 whatever the config says;
- subsets are stored stacked and computed together; joints are mixed before the value projection;
- `pooling="masked"` (default) leaves absent people and padded frames out, as in UNIK; `"official"` averages them.
"""

from huggingface_hub.dataclasses import strict
from torch import nn

from motionhub.models.skeleton_encoder import GraphEncoderConfig, SkeletonEncoder
from motionhub.models.skeleton_heads import SkeletonForActionClassification, SkeletonForActionSegmentation
from motionhub.nn.graph_conv import DependencyAttention, JointGraph
from motionhub.skeletons.graph import adjacency_subsets
from motionhub.skeletons.layouts import stated_layout


NUM_SUBSETS = 3


@strict
class AgcnConfig(GraphEncoderConfig):
    """Sizes and options of 2s-AGCN; the defaults are the official NTU RGB+D encoder.

    Args:
        layout: see `GraphEncoderConfig`.
        num_joints, in_channels, num_people, channels, strides, dilations, temporal_kernel, pooling,
            classifier_dropout, upsampling: see `SkeletonEncoderConfig`.
        key_ratio: query and key have `channels // key_ratio` channels per subset.
        dependency_init: initial value of every entry of the free matrices.
        spatial_norm_init: initial scale of the spatial batch norms (tiny: blocks begin as temporal convolutions).

    Examples:
        >>> config = motionhub.AgcnConfig(layout="coco-17", num_joints=17, num_labels=5)
        >>> config.hidden_size, config.frame_stride
        (256, 4)
    """

    model_type = "motionhub_agcn"

    key_ratio: int = 4
    dependency_init: float | int = 1e-6
    spatial_norm_init: float | int = 1e-6


class AgcnModel(SkeletonEncoder):
    """The encoder: keypoints of a clip in, features per person, frame and joint and one vector per clip out.

    Examples:
        >>> import torch
        >>> config = motionhub.AgcnConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17")
        >>> model = motionhub.AgcnModel(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).pooler_output.shape
        torch.Size([1, 8])
    """

    config: AgcnConfig

    def __init__(self, config: AgcnConfig) -> None:
        config.validate_layout()
        super().__init__(config, JointGraph(adjacency_subsets(stated_layout(config.layout))))

    def spatial_unit(self, index: int, in_channels: int, out_channels: int) -> nn.Module:
        """Graph, free matrices and attention."""
        config = self.config
        return DependencyAttention(
            num_joints=config.num_joints,
            in_channels=in_channels,
            out_channels=out_channels,
            num_heads=NUM_SUBSETS,
            key_channels=out_channels // config.key_ratio,
            initial_range=(float(config.dependency_init), float(config.dependency_init)),
            initial_scale=float(config.spatial_norm_init),
            **config.norm_options,
        )


class AgcnForActionClassification(SkeletonForActionClassification):
    """One label per clip; logits without softmax.

    Examples:
        >>> import torch
        >>> config = motionhub.AgcnConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17", num_labels=5)
        >>> model = motionhub.AgcnForActionClassification(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).logits.shape
        torch.Size([1, 5])
    """

    config: AgcnConfig
    encoder_class = AgcnModel


class AgcnForActionSegmentation(SkeletonForActionSegmentation):
    """Scores per input frame, several actions may be on at once.

    Examples:
        >>> import torch
        >>> config = motionhub.AgcnConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17", num_labels=5)
        >>> model = motionhub.AgcnForActionSegmentation(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).logits.shape
        torch.Size([1, 30, 5])
    """

    config: AgcnConfig
    encoder_class = AgcnModel
