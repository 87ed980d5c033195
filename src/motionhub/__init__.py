"""motionhub: encoders of human motion. Importing it makes its models known to the Auto classes of transformers.

Public names are loaded when first used, so only what a program needs costs time. Registration with transformers waits
until someone looks for a model, a processor or a pipeline (`motionhub.registration`): neither PyTorch nor transformers
is imported here.
"""

import importlib
from typing import TYPE_CHECKING, Any

from motionhub.registration import watch_imports
from motionhub.version import __version__


if TYPE_CHECKING:
    from motionhub.auto import AutoModelForActionClassification as AutoModelForActionClassification
    from motionhub.auto import AutoModelForActionSegmentation as AutoModelForActionSegmentation
    from motionhub.auto import AutoModelForMotionRetargeting as AutoModelForMotionRetargeting
    from motionhub.auto import AutoModelForMovementQuality as AutoModelForMovementQuality
    from motionhub.auto import (
        AutoModelForZeroShotActionClassification as AutoModelForZeroShotActionClassification,
    )
    from motionhub.data.build.build import build_dataset as build_dataset
    from motionhub.data.build.build import save_dataset as save_dataset
    from motionhub.data.datasets.datasets import READERS as READERS
    from motionhub.data.datasets.reading import read as read
    from motionhub.data.formats.formats import write as write
    from motionhub.data.synthetic.dataset import generate_dataset as generate_dataset
    from motionhub.hub.push import push as push
    from motionhub.intervals.table import summarise_intervals as summarise_intervals
    from motionhub.intervals.table import write_intervals as write_intervals
    from motionhub.models.agcn import AgcnConfig as AgcnConfig
    from motionhub.models.agcn import AgcnForActionClassification as AgcnForActionClassification
    from motionhub.models.agcn import AgcnForActionSegmentation as AgcnForActionSegmentation
    from motionhub.models.agcn import AgcnModel as AgcnModel
    from motionhub.models.cv_mim import CvMimConfig as CvMimConfig
    from motionhub.models.cv_mim import CvMimForActionClassification as CvMimForActionClassification
    from motionhub.models.cv_mim import CvMimModel as CvMimModel
    from motionhub.models.lac import LacConfig as LacConfig
    from motionhub.models.lac import LacModel as LacModel
    from motionhub.models.lcr_net import LcrNetConfig as LcrNetConfig
    from motionhub.models.lcr_net import LcrNetModel as LcrNetModel
    from motionhub.models.ltn import LtnConfig as LtnConfig
    from motionhub.models.ltn import LtnModel as LtnModel
    from motionhub.models.movement_quality import MovementQualityConfig as MovementQualityConfig
    from motionhub.models.movement_quality import SkeletonForMovementQuality as SkeletonForMovementQuality
    from motionhub.models.r3d import R3dConfig as R3dConfig
    from motionhub.models.r3d import R3dForActionClassification as R3dForActionClassification
    from motionhub.models.r3d import R3dForPreTraining as R3dForPreTraining
    from motionhub.models.r3d import R3dModel as R3dModel
    from motionhub.models.retarget_net import RetargetNet as RetargetNet
    from motionhub.models.retarget_net import RetargetNetConfig as RetargetNetConfig
    from motionhub.models.st_gcn import StGcnConfig as StGcnConfig
    from motionhub.models.st_gcn import StGcnForActionClassification as StGcnForActionClassification
    from motionhub.models.st_gcn import StGcnForActionSegmentation as StGcnForActionSegmentation
    from motionhub.models.st_gcn import StGcnModel as StGcnModel
    from motionhub.models.t_mor import TMorConfig as TMorConfig
    from motionhub.models.t_mor import TMorForZeroShotActionClassification as TMorForZeroShotActionClassification
    from motionhub.models.t_mor import TMorModel as TMorModel
    from motionhub.models.u_vi import UViConfig as UViConfig
    from motionhub.models.u_vi import UViForActionClassification as UViForActionClassification
    from motionhub.models.u_vi import UViForMovementQuality as UViForMovementQuality
    from motionhub.models.u_vi import UViModel as UViModel
    from motionhub.models.unik import UnikConfig as UnikConfig
    from motionhub.models.unik import UnikForActionClassification as UnikForActionClassification
    from motionhub.models.unik import UnikForActionSegmentation as UnikForActionSegmentation
    from motionhub.models.unik import UnikModel as UnikModel
    from motionhub.models.vi_clip import ViClipConfig as ViClipConfig
    from motionhub.models.vi_clip import ViClipModel as ViClipModel
    from motionhub.models.video_backbone import VideoBackboneConfig as VideoBackboneConfig
    from motionhub.models.video_backbone import VideoBackboneModel as VideoBackboneModel
    from motionhub.papers import PAPERS as PAPERS
    from motionhub.pipelines.online_segmentation import OnlineIntervals as OnlineIntervals
    from motionhub.pipelines.online_segmentation import OnlineSegmenter as OnlineSegmenter
    from motionhub.pipelines.pose_refinement import refine as refine
    from motionhub.poses.refine import aggregate_experts as aggregate_experts
    from motionhub.processing.pictures import PictureProcessor as PictureProcessor
    from motionhub.processing.posture_pictures import PosturePictureProcessor as PosturePictureProcessor
    from motionhub.processing.retargeting import RetargetProcessor as RetargetProcessor
    from motionhub.processing.skeleton import SkeletonProcessor as SkeletonProcessor
    from motionhub.processing.video_clip import VideoClipProcessor as VideoClipProcessor
    from motionhub.skeletons.convert import convert_layout as convert_layout
    from motionhub.skeletons.convert import resample as resample
    from motionhub.skeletons.inspection import inspect as inspect
    from motionhub.skeletons.layout import SkeletonLayout as SkeletonLayout
    from motionhub.skeletons.layouts import LAYOUTS as LAYOUTS
    from motionhub.skeletons.layouts import get_layout as get_layout
    from motionhub.skeletons.layouts import load_layout as load_layout
    from motionhub.skeletons.sequence import SkeletonSequence as SkeletonSequence
    from motionhub.training.arguments import TrainingRecipe as TrainingRecipe

# Public name -> the module that defines it (the same list as above; a test compares them).
_HOMES = {
    "AutoModelForActionClassification": "motionhub.auto",
    "AutoModelForActionSegmentation": "motionhub.auto",
    "AutoModelForMotionRetargeting": "motionhub.auto",
    "AutoModelForZeroShotActionClassification": "motionhub.auto",
    "build_dataset": "motionhub.data.build.build",
    "save_dataset": "motionhub.data.build.build",
    "READERS": "motionhub.data.datasets.datasets",
    "read": "motionhub.data.datasets.reading",
    "generate_dataset": "motionhub.data.synthetic.dataset",
    "write": "motionhub.data.formats.formats",
    "summarise_intervals": "motionhub.intervals.table",
    "write_intervals": "motionhub.intervals.table",
    "AgcnConfig": "motionhub.models.agcn",
    "AgcnForActionClassification": "motionhub.models.agcn",
    "AgcnForActionSegmentation": "motionhub.models.agcn",
    "AgcnModel": "motionhub.models.agcn",
    "StGcnConfig": "motionhub.models.st_gcn",
    "StGcnForActionClassification": "motionhub.models.st_gcn",
    "StGcnForActionSegmentation": "motionhub.models.st_gcn",
    "StGcnModel": "motionhub.models.st_gcn",
    "CvMimConfig": "motionhub.models.cv_mim",
    "CvMimForActionClassification": "motionhub.models.cv_mim",
    "CvMimModel": "motionhub.models.cv_mim",
    "LacConfig": "motionhub.models.lac",
    "LacModel": "motionhub.models.lac",
    "LcrNetConfig": "motionhub.models.lcr_net",
    "LcrNetModel": "motionhub.models.lcr_net",
    "RetargetNet": "motionhub.models.retarget_net",
    "RetargetNetConfig": "motionhub.models.retarget_net",
    "push": "motionhub.hub.push",
    "TMorConfig": "motionhub.models.t_mor",
    "TMorForZeroShotActionClassification": "motionhub.models.t_mor",
    "TMorModel": "motionhub.models.t_mor",
    "UnikConfig": "motionhub.models.unik",
    "UnikForActionClassification": "motionhub.models.unik",
    "UnikForActionSegmentation": "motionhub.models.unik",
    "UnikModel": "motionhub.models.unik",
    "LtnConfig": "motionhub.models.ltn",
    "LtnModel": "motionhub.models.ltn",
    "R3dConfig": "motionhub.models.r3d",
    "R3dForActionClassification": "motionhub.models.r3d",
    "R3dForPreTraining": "motionhub.models.r3d",
    "R3dModel": "motionhub.models.r3d",
    "VideoBackboneConfig": "motionhub.models.video_backbone",
    "VideoBackboneModel": "motionhub.models.video_backbone",
    "ViClipConfig": "motionhub.models.vi_clip",
    "ViClipModel": "motionhub.models.vi_clip",
    "VideoClipProcessor": "motionhub.processing.video_clip",
    "AutoModelForMovementQuality": "motionhub.auto",
    "MovementQualityConfig": "motionhub.models.movement_quality",
    "SkeletonForMovementQuality": "motionhub.models.movement_quality",
    "UViConfig": "motionhub.models.u_vi",
    "UViForActionClassification": "motionhub.models.u_vi",
    "UViForMovementQuality": "motionhub.models.u_vi",
    "UViModel": "motionhub.models.u_vi",
    "PosturePictureProcessor": "motionhub.processing.posture_pictures",
    "PAPERS": "motionhub.papers",
    "OnlineIntervals": "motionhub.pipelines.online_segmentation",
    "OnlineSegmenter": "motionhub.pipelines.online_segmentation",
    "refine": "motionhub.pipelines.pose_refinement",
    "aggregate_experts": "motionhub.poses.refine",
    "PictureProcessor": "motionhub.processing.pictures",
    "RetargetProcessor": "motionhub.processing.retargeting",
    "SkeletonProcessor": "motionhub.processing.skeleton",
    "convert_layout": "motionhub.skeletons.convert",
    "resample": "motionhub.skeletons.convert",
    "SkeletonLayout": "motionhub.skeletons.layout",
    "LAYOUTS": "motionhub.skeletons.layouts",
    "get_layout": "motionhub.skeletons.layouts",
    "load_layout": "motionhub.skeletons.layouts",
    "inspect": "motionhub.skeletons.inspection",
    "SkeletonSequence": "motionhub.skeletons.sequence",
    "TrainingRecipe": "motionhub.training.arguments",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'motionhub' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


watch_imports()
