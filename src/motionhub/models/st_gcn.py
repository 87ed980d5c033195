"""ST-GCN: an action encoder on the skeleton's graph, whose edges are given and weighed by learned factors.

Paper: Yan et al., "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition", AAAI 2018,
https://arxiv.org/abs/1801.07455. Official code: https://github.com/yysijie/st-gcn. CrosSCLR's smaller encoder
(https://github.com/LinguoLi/CrosSCLR, hidden 16) is `channels=[16, 16, 16, 16, 32, 32, 32, 64, 64, 256]`.

Each block mixes the joints by the spatial-configuration partition (three subsets: the joint itself, edges towards the
centre of the body, edges away from it), every edge times a learned importance, then convolves over the frames.

Deliberate deviations from the official code, all without effect on its numbers:
- joints are mixed before the projection; the projections' bias is mixed separately;
- the classifier is a linear layer instead of a 1x1 convolution;
- `pooling="masked"` (default) leaves absent people and padded frames out, as in UNIK; `"official"` averages them.

Published centres of the body are those of NTU-25 (between the shoulders) and OpenPose-18 (neck); other layouts take
their root.
"""

from typing import ClassVar

from huggingface_hub.dataclasses import strict
from torch import nn

from motionhub.models.skeleton_encoder import GraphEncoderConfig, JointBlock, SkeletonEncoder
from motionhub.models.skeleton_heads import SkeletonForActionClassification, SkeletonForActionSegmentation
from motionhub.nn.graph_conv import GraphConv, JointGraph
from motionhub.skeletons.graph import spatial_configuration
from motionhub.skeletons.layouts import stated_layout


@strict
class StGcnConfig(GraphEncoderConfig):
    """Sizes and options of ST-GCN; the defaults are the official NTU RGB+D encoder.

    Args:
        layout: see `GraphEncoderConfig`.
        num_joints, in_channels, num_people, channels, strides, dilations, temporal_kernel, pooling,
            classifier_dropout, upsampling: see `SkeletonEncoderConfig`.
        centre_joint: name of the joint that "towards the centre" refers to; None is the published one, or the root.
        edge_importance: every edge has a learned factor in every block.
        dropout: after every temporal convolution but the first (the official Kinetics and NTU recipes: 0.5).

    Examples:
        >>> config = motionhub.StGcnConfig(layout="coco-17", num_joints=17, num_labels=5)
        >>> config.hidden_size, config.frame_stride
        (256, 4)
    """

    model_type = "motionhub_st_gcn"
    initial_std: ClassVar[float | None] = 0.02  # of every convolution; norms are drawn around 1 by as much

    centre_joint: str | None = None
    edge_importance: bool = True
    dropout: float | int = 0.0

    def validate_centre_joint(self) -> None:
        if self.centre_joint is not None:
            stated_layout(self.layout).index(self.centre_joint)


class StGcnModel(SkeletonEncoder):
    """The encoder: keypoints of a clip in, features per person, frame and joint and one vector per clip out.

    All person slots share the statistics of the raw keypoints, as in the official code. `attentions` are empty,
    `dependencies` the graph times its importance.

    Examples:
        >>> import torch
        >>> config = motionhub.StGcnConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17")
        >>> model = motionhub.StGcnModel(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).pooler_output.shape
        torch.Size([1, 8])
    """

    config: StGcnConfig
    slot_norm = False

    def __init__(self, config: StGcnConfig) -> None:
        config.validate_layout()
        super().__init__(config, JointGraph(spatial_configuration(stated_layout(config.layout), config.centre_joint)))

    def spatial_unit(self, index: int, in_channels: int, out_channels: int) -> nn.Module:
        """Graph convolution."""
        assert self.graph is not None
        return GraphConv(
            num_joints=self.config.num_joints,
            in_channels=in_channels,
            out_channels=out_channels,
            num_subsets=len(self.graph.subsets),
            learn_importance=self.config.edge_importance,
            **self.config.norm_options,
        )

    def block(self, index: int) -> JointBlock:
        """The official first block has no dropout."""
        block = super().block(index)
        block.dropout = float(self.config.dropout) if index else 0.0
        return block


class StGcnForActionClassification(SkeletonForActionClassification):
    """One label per clip; logits without softmax.

    Examples:
        >>> import torch
        >>> config = motionhub.StGcnConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17", num_labels=5)
        >>> model = motionhub.StGcnForActionClassification(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).logits.shape
        torch.Size([1, 5])
    """

    config: StGcnConfig
    encoder_class = StGcnModel


class StGcnForActionSegmentation(SkeletonForActionSegmentation):
    """Scores per input frame, several actions may be on at once.

    Examples:
        >>> import torch
        >>> config = motionhub.StGcnConfig(num_joints=17, channels=[8], strides=[1], layout="coco-17", num_labels=5)
        >>> model = motionhub.StGcnForActionSegmentation(config)
        >>> model(torch.randn(1, 1, 30, 17, config.in_channels)).logits.shape
        torch.Size([1, 30, 5])
    """

    config: StGcnConfig
    encoder_class = StGcnModel
