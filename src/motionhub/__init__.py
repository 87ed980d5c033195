"""motionhub: encoders of human motion, registered with the Auto classes of transformers.

Public names are loaded on first use, and registration waits for the first request of a model or a pipeline
(`motionhub.registration`), so `import motionhub` imports neither PyTorch nor transformers.
"""

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from motionhub.registration import watch_imports
from motionhub.version import __version__


# For type checkers, which do not follow `__getattr__`.
if TYPE_CHECKING:
    from motionhub.augment.view_params import ViewRanges as ViewRanges
    from motionhub.augment.views import CameraRanges as CameraRanges
    from motionhub.auto import AutoModelForActionClassification as AutoModelForActionClassification
    from motionhub.auto import AutoModelForActionSegmentation as AutoModelForActionSegmentation
    from motionhub.auto import AutoModelForMotionRetargeting as AutoModelForMotionRetargeting
    from motionhub.auto import AutoModelForMovementQuality as AutoModelForMovementQuality
    from motionhub.auto import AutoModelForZeroShotActionClassification as AutoModelForZeroShotActionClassification
    from motionhub.cli.main import handle_cli_errors as handle_cli_errors
    from motionhub.cli.predict import labels_over_time as labels_over_time
    from motionhub.data.build.build import build_dataset as build_dataset
    from motionhub.data.build.build import save_dataset as save_dataset
    from motionhub.data.datasets.class_phrases import class_texts as class_texts
    from motionhub.data.datasets.datasets import READERS as READERS
    from motionhub.data.datasets.penn import CAMERA_SIDES as CAMERA_SIDES
    from motionhub.data.datasets.reading import read as read
    from motionhub.data.formats.formats import write as write
    from motionhub.data.formats.interval_files import read_intervals as read_intervals
    from motionhub.data.formats.movement import from_movement as from_movement
    from motionhub.data.formats.movement import to_movement as to_movement
    from motionhub.data.formats.results import from_results as from_results
    from motionhub.data.synthetic.dataset import generate_dataset as generate_dataset
    from motionhub.data.synthetic.days import generate_day as generate_day
    from motionhub.data.synthetic.generate import Scene as Scene
    from motionhub.data.synthetic.generate import compose as compose
    from motionhub.data.synthetic.generate import generate as generate
    from motionhub.data.video.clips import VideoDataset as VideoDataset
    from motionhub.data.video.clips import VideoSegments as VideoSegments
    from motionhub.data.video.clips import collate_videos as collate_videos
    from motionhub.data.video.clips import read_video_list as read_video_list
    from motionhub.data.video.reader import open_video as open_video
    from motionhub.data.views.pairs import PairRanges as PairRanges
    from motionhub.data.views.view_pairs import DrawnTake as DrawnTake
    from motionhub.data.views.view_pairs import ViewPairDataset as ViewPairDataset
    from motionhub.data.views.view_pairs import collate_view_pairs as collate_view_pairs
    from motionhub.data.views.view_pairs import find_takes as find_takes
    from motionhub.hub.card import read_card_facts as read_card_facts
    from motionhub.hub.card import write_model_card as write_model_card
    from motionhub.hub.push import draw_layout as draw_layout
    from motionhub.hub.push import push as push
    from motionhub.hub.run_card import write_run_card as write_run_card
    from motionhub.intervals.table import summarise_intervals as summarise_intervals
    from motionhub.intervals.table import write_intervals as write_intervals
    from motionhub.kinematics.compare import compare as compare
    from motionhub.kinematics.deviations import deviations as deviations
    from motionhub.kinematics.measurements import measure as measure
    from motionhub.kinematics.repetitions import repetitions as repetitions
    from motionhub.live.alarms import AlarmRule as AlarmRule
    from motionhub.live.event import LiveEvent as LiveEvent
    from motionhub.live.events import LiveEvents as LiveEvents
    from motionhub.metrics.classification import classification_report as classification_report
    from motionhub.metrics.classification import format_report as format_report
    from motionhub.metrics.segmentation import format_segmentation_report as format_segmentation_report
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
    from motionhub.models.retarget_net import RetargetNetConfig as RetargetNetConfig
    from motionhub.models.retarget_net import RetargetNetForMotionRetargeting as RetargetNetForMotionRetargeting
    from motionhub.models.retarget_net import RetargetNetModel as RetargetNetModel
    from motionhub.models.st_gcn import StGcnConfig as StGcnConfig
    from motionhub.models.st_gcn import StGcnForActionClassification as StGcnForActionClassification
    from motionhub.models.st_gcn import StGcnForActionSegmentation as StGcnForActionSegmentation
    from motionhub.models.st_gcn import StGcnModel as StGcnModel
    from motionhub.models.streaming import StreamingSegmenter as StreamingSegmenter
    from motionhub.models.streaming_step import StreamingStep as StreamingStep
    from motionhub.models.t_mor import TMorConfig as TMorConfig
    from motionhub.models.t_mor import TMorForZeroShotActionClassification as TMorForZeroShotActionClassification
    from motionhub.models.t_mor import TMorModel as TMorModel
    from motionhub.models.tcn import TcnConfig as TcnConfig
    from motionhub.models.tcn import TcnForActionClassification as TcnForActionClassification
    from motionhub.models.tcn import TcnForActionSegmentation as TcnForActionSegmentation
    from motionhub.models.tcn import TcnModel as TcnModel
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
    from motionhub.objectives.byol import LtnByol as LtnByol
    from motionhub.objectives.cv_mim import CvMim as CvMim
    from motionhub.objectives.distillation import Distillation as Distillation
    from motionhub.objectives.distillation import ZeroShotDistillation as ZeroShotDistillation
    from motionhub.objectives.lac import JointRows as JointRows
    from motionhub.objectives.lac import LacPairs as LacPairs
    from motionhub.objectives.lac import VelocityRows as VelocityRows
    from motionhub.objectives.lac_contrast import ComposedLabels as ComposedLabels
    from motionhub.objectives.lac_contrast import LacContrast as LacContrast
    from motionhub.objectives.ltn import LtnMoco as LtnMoco
    from motionhub.objectives.or_vpe import OrVpe as OrVpe
    from motionhub.objectives.pose_baselines import CrossReconstruction as CrossReconstruction
    from motionhub.objectives.pose_baselines import DirectInformation as DirectInformation
    from motionhub.objectives.pose_baselines import PrVipe as PrVipe
    from motionhub.objectives.t_mor import TMor as TMor
    from motionhub.objectives.u_vi import UVi as UVi
    from motionhub.objectives.via import ViaCycle as ViaCycle
    from motionhub.objectives.via import ViaPairs as ViaPairs
    from motionhub.papers import PAPERS as PAPERS
    from motionhub.pipelines.motion_retargeting import as_motion as as_motion
    from motionhub.pipelines.online_segmentation import OnlineIntervals as OnlineIntervals
    from motionhub.pipelines.online_segmentation import OnlineSegmenter as OnlineSegmenter
    from motionhub.pipelines.pose_refinement import refine as refine
    from motionhub.poses.extracted_dataset import extract_dataset as extract_dataset
    from motionhub.poses.extraction import extract_clip as extract_clip
    from motionhub.poses.refine import aggregate_experts as aggregate_experts
    from motionhub.poses.self_training import fit_anchor_poses as fit_anchor_poses
    from motionhub.poses.self_training import held_out as held_out
    from motionhub.poses.self_training import labelled_frames as labelled_frames
    from motionhub.poses.self_training import noisy_copies as noisy_copies
    from motionhub.poses.self_training import pseudo_labels as pseudo_labels
    from motionhub.poses.students import HeatmapStudent as HeatmapStudent
    from motionhub.poses.students import LcrNetStudent as LcrNetStudent
    from motionhub.poses.students import pose_agreement as pose_agreement
    from motionhub.poses.students import self_training_recipe as self_training_recipe
    from motionhub.processing.collate import collate_skeletons as collate_skeletons
    from motionhub.processing.person_images import PersonImageProcessor as PersonImageProcessor
    from motionhub.processing.posture_images import PostureImageProcessor as PostureImageProcessor
    from motionhub.processing.retargeting import RetargetProcessor as RetargetProcessor
    from motionhub.processing.skeleton import SkeletonProcessor as SkeletonProcessor
    from motionhub.processing.skeleton import with_augmentation as with_augmentation
    from motionhub.processing.video_clip import VideoClipProcessor as VideoClipProcessor
    from motionhub.reproduction.runs_compared import comparison_table as comparison_table
    from motionhub.reproduction.runs_compared import find_runs as find_runs
    from motionhub.runtime.predictor import Predictor as Predictor
    from motionhub.runtime.stream import ExportedStream as ExportedStream
    from motionhub.skeletons.checks import inspect as inspect
    from motionhub.skeletons.convert import convert_layout as convert_layout
    from motionhub.skeletons.convert import cut as cut
    from motionhub.skeletons.convert import resample as resample
    from motionhub.skeletons.layout import SkeletonLayout as SkeletonLayout
    from motionhub.skeletons.layouts import LAYOUTS as LAYOUTS
    from motionhub.skeletons.layouts import get_layout as get_layout
    from motionhub.skeletons.layouts import load_layout as load_layout
    from motionhub.skeletons.sequence import SkeletonSequence as SkeletonSequence
    from motionhub.towers.text_towers import load_text_tower as load_text_tower
    from motionhub.training.arguments import RunArguments as RunArguments
    from motionhub.training.arguments import TrainingRecipe as TrainingRecipe
    from motionhub.training.arguments import read_recipe_file as read_recipe_file
    from motionhub.training.dataset import ClipDataset as ClipDataset
    from motionhub.training.dataset import class_names_of as class_names_of
    from motionhub.training.distillation import soft_targets as soft_targets
    from motionhub.training.distillation import with_unlabelled as with_unlabelled
    from motionhub.training.evaluators import ClassificationEvaluation as ClassificationEvaluation
    from motionhub.training.evaluators import EmbeddingProbe as EmbeddingProbe
    from motionhub.training.evaluators import MultiViewEvaluation as MultiViewEvaluation
    from motionhub.training.evaluators import probed_by_labels as probed_by_labels
    from motionhub.training.evaluators import save_report as save_report
    from motionhub.training.evaluators import score_clips as score_clips
    from motionhub.training.features import feature_table as feature_table
    from motionhub.training.sources import load_checkpoint as load_checkpoint
    from motionhub.training.sources import load_for_pretraining as load_for_pretraining
    from motionhub.training.sources import load_processor as load_processor
    from motionhub.training.start import check_inputs as check_inputs
    from motionhub.training.start import class_names_of_dataset as class_names_of_dataset
    from motionhub.training.start import load_splits as load_splits
    from motionhub.training.start import parse_own as parse_own
    from motionhub.training.start import parse_training as parse_training
    from motionhub.training.start import prepare_model as prepare_model
    from motionhub.training.start import prepare_start as prepare_start
    from motionhub.training.tasks.movement_quality import QualityOptions as QualityOptions
    from motionhub.training.tasks.movement_quality import evaluate_movement_quality as evaluate_movement_quality
    from motionhub.training.tasks.movement_quality import format_quality_report as format_quality_report
    from motionhub.training.tasks.movement_quality import only_movement as only_movement
    from motionhub.training.tasks.movement_quality import scored_rows as scored_rows
    from motionhub.training.tasks.movement_quality import train_on_everybody as train_on_everybody
    from motionhub.training.tasks.segmentation import SegmentationOptions as SegmentationOptions
    from motionhub.training.tasks.segmentation import train_segmentation as train_segmentation
    from motionhub.training.tasks.segments import SegmentDataset as SegmentDataset
    from motionhub.training.tasks.segments import collate_segments as collate_segments
    from motionhub.training.tasks.single_shot import single_shot as single_shot
    from motionhub.training.trainer import train as train
    from motionhub.visualization.animate import animate as animate
    from motionhub.visualization.animate import animate_side_by_side as animate_side_by_side
    from motionhub.visualization.draw import draw_frame as draw_frame
    from motionhub.visualization.draw import skeleton_strip as skeleton_strip
    from motionhub.visualization.plots import plot_alarm_curve as plot_alarm_curve
    from motionhub.visualization.plots import plot_attention as plot_attention
    from motionhub.visualization.plots import plot_dependencies as plot_dependencies
    from motionhub.visualization.plots import plot_ribbon as plot_ribbon
    from motionhub.visualization.rerun_file import write_rerun as write_rerun

_NAMES_BY_HOME = {  # the module that defines them -> public names, the same as above: a test compares the two
    "motionhub.augment.view_params": ("ViewRanges",),
    "motionhub.augment.views": ("CameraRanges",),
    "motionhub.auto": (
        "AutoModelForActionClassification",
        "AutoModelForActionSegmentation",
        "AutoModelForMotionRetargeting",
        "AutoModelForMovementQuality",
        "AutoModelForZeroShotActionClassification",
    ),
    "motionhub.cli.main": ("handle_cli_errors",),
    "motionhub.cli.predict": ("labels_over_time",),
    "motionhub.data.build.build": ("build_dataset", "save_dataset"),
    "motionhub.data.datasets.class_phrases": ("class_texts",),
    "motionhub.data.datasets.datasets": ("READERS",),
    "motionhub.data.datasets.penn": ("CAMERA_SIDES",),
    "motionhub.data.datasets.reading": ("read",),
    "motionhub.data.formats.formats": ("write",),
    "motionhub.data.formats.interval_files": ("read_intervals",),
    "motionhub.data.formats.movement": ("from_movement", "to_movement"),
    "motionhub.data.formats.results": ("from_results",),
    "motionhub.data.synthetic.dataset": ("generate_dataset",),
    "motionhub.data.synthetic.days": ("generate_day",),
    "motionhub.data.synthetic.generate": ("Scene", "compose", "generate"),
    "motionhub.data.video.clips": ("VideoDataset", "VideoSegments", "collate_videos", "read_video_list"),
    "motionhub.data.video.reader": ("open_video",),
    "motionhub.data.views.pairs": ("PairRanges",),
    "motionhub.data.views.view_pairs": ("DrawnTake", "ViewPairDataset", "collate_view_pairs", "find_takes"),
    "motionhub.hub.card": ("read_card_facts", "write_model_card"),
    "motionhub.hub.push": ("draw_layout", "push"),
    "motionhub.hub.run_card": ("write_run_card",),
    "motionhub.intervals.table": ("summarise_intervals", "write_intervals"),
    "motionhub.kinematics.compare": ("compare",),
    "motionhub.kinematics.deviations": ("deviations",),
    "motionhub.kinematics.measurements": ("measure",),
    "motionhub.kinematics.repetitions": ("repetitions",),
    "motionhub.live.alarms": ("AlarmRule",),
    "motionhub.live.event": ("LiveEvent",),
    "motionhub.live.events": ("LiveEvents",),
    "motionhub.metrics.classification": ("classification_report", "format_report"),
    "motionhub.metrics.segmentation": ("format_segmentation_report",),
    "motionhub.models.agcn": ("AgcnConfig", "AgcnForActionClassification", "AgcnForActionSegmentation", "AgcnModel"),
    "motionhub.models.cv_mim": ("CvMimConfig", "CvMimForActionClassification", "CvMimModel"),
    "motionhub.models.lac": ("LacConfig", "LacModel"),
    "motionhub.models.lcr_net": ("LcrNetConfig", "LcrNetModel"),
    "motionhub.models.ltn": ("LtnConfig", "LtnModel"),
    "motionhub.models.movement_quality": ("MovementQualityConfig", "SkeletonForMovementQuality"),
    "motionhub.models.r3d": ("R3dConfig", "R3dForActionClassification", "R3dForPreTraining", "R3dModel"),
    "motionhub.models.retarget_net": ("RetargetNetConfig", "RetargetNetForMotionRetargeting", "RetargetNetModel"),
    "motionhub.models.st_gcn": (
        "StGcnConfig",
        "StGcnForActionClassification",
        "StGcnForActionSegmentation",
        "StGcnModel",
    ),
    "motionhub.models.streaming": ("StreamingSegmenter",),
    "motionhub.models.streaming_step": ("StreamingStep",),
    "motionhub.models.t_mor": ("TMorConfig", "TMorForZeroShotActionClassification", "TMorModel"),
    "motionhub.models.tcn": (
        "TcnConfig",
        "TcnForActionClassification",
        "TcnForActionSegmentation",
        "TcnModel",
    ),
    "motionhub.models.u_vi": ("UViConfig", "UViForActionClassification", "UViForMovementQuality", "UViModel"),
    "motionhub.models.unik": ("UnikConfig", "UnikForActionClassification", "UnikForActionSegmentation", "UnikModel"),
    "motionhub.models.vi_clip": ("ViClipConfig", "ViClipModel"),
    "motionhub.models.video_backbone": ("VideoBackboneConfig", "VideoBackboneModel"),
    "motionhub.objectives.byol": ("LtnByol",),
    "motionhub.objectives.cv_mim": ("CvMim",),
    "motionhub.objectives.distillation": ("Distillation", "ZeroShotDistillation"),
    "motionhub.objectives.lac": ("JointRows", "LacPairs", "VelocityRows"),
    "motionhub.objectives.lac_contrast": ("ComposedLabels", "LacContrast"),
    "motionhub.objectives.ltn": ("LtnMoco",),
    "motionhub.objectives.or_vpe": ("OrVpe",),
    "motionhub.objectives.pose_baselines": ("CrossReconstruction", "DirectInformation", "PrVipe"),
    "motionhub.objectives.t_mor": ("TMor",),
    "motionhub.objectives.u_vi": ("UVi",),
    "motionhub.objectives.via": ("ViaCycle", "ViaPairs"),
    "motionhub.papers": ("PAPERS",),
    "motionhub.pipelines.motion_retargeting": ("as_motion",),
    "motionhub.pipelines.online_segmentation": ("OnlineIntervals", "OnlineSegmenter"),
    "motionhub.pipelines.pose_refinement": ("refine",),
    "motionhub.poses.extracted_dataset": ("extract_dataset",),
    "motionhub.poses.extraction": ("extract_clip",),
    "motionhub.poses.refine": ("aggregate_experts",),
    "motionhub.poses.self_training": (
        "fit_anchor_poses",
        "held_out",
        "labelled_frames",
        "noisy_copies",
        "pseudo_labels",
    ),
    "motionhub.poses.students": ("HeatmapStudent", "LcrNetStudent", "pose_agreement", "self_training_recipe"),
    "motionhub.processing.collate": ("collate_skeletons",),
    "motionhub.processing.person_images": ("PersonImageProcessor",),
    "motionhub.processing.posture_images": ("PostureImageProcessor",),
    "motionhub.processing.retargeting": ("RetargetProcessor",),
    "motionhub.processing.skeleton": ("SkeletonProcessor", "with_augmentation"),
    "motionhub.processing.video_clip": ("VideoClipProcessor",),
    "motionhub.runtime.predictor": ("Predictor",),
    "motionhub.runtime.stream": ("ExportedStream",),
    "motionhub.reproduction.runs_compared": ("comparison_table", "find_runs"),
    "motionhub.skeletons.checks": ("inspect",),
    "motionhub.skeletons.convert": ("convert_layout", "cut", "resample"),
    "motionhub.skeletons.layout": ("SkeletonLayout",),
    "motionhub.skeletons.layouts": ("LAYOUTS", "get_layout", "load_layout"),
    "motionhub.skeletons.sequence": ("SkeletonSequence",),
    "motionhub.towers.text_towers": ("load_text_tower",),
    "motionhub.training.arguments": ("RunArguments", "TrainingRecipe", "read_recipe_file"),
    "motionhub.training.dataset": ("ClipDataset", "class_names_of"),
    "motionhub.training.distillation": ("soft_targets", "with_unlabelled"),
    "motionhub.training.evaluators": (
        "ClassificationEvaluation",
        "EmbeddingProbe",
        "MultiViewEvaluation",
        "probed_by_labels",
        "save_report",
        "score_clips",
    ),
    "motionhub.training.features": ("feature_table",),
    "motionhub.training.sources": ("load_checkpoint", "load_for_pretraining", "load_processor"),
    "motionhub.training.start": (
        "check_inputs",
        "class_names_of_dataset",
        "load_splits",
        "parse_own",
        "parse_training",
        "prepare_model",
        "prepare_start",
    ),
    "motionhub.training.tasks.movement_quality": (
        "QualityOptions",
        "evaluate_movement_quality",
        "format_quality_report",
        "only_movement",
        "scored_rows",
        "train_on_everybody",
    ),
    "motionhub.training.tasks.segmentation": ("SegmentationOptions", "train_segmentation"),
    "motionhub.training.tasks.segments": ("SegmentDataset", "collate_segments"),
    "motionhub.training.tasks.single_shot": ("single_shot",),
    "motionhub.training.trainer": ("train",),
    "motionhub.visualization.animate": ("animate", "animate_side_by_side"),
    "motionhub.visualization.draw": ("draw_frame", "skeleton_strip"),
    "motionhub.visualization.plots": ("plot_alarm_curve", "plot_attention", "plot_dependencies", "plot_ribbon"),
    "motionhub.visualization.rerun_file": ("write_rerun",),
}
_HOMES = {name: home for home, names in _NAMES_BY_HOME.items() for name in names}

__all__ = ["__version__", *_HOMES]

# Old public name -> the new one.
_RENAMED = {
    "PictureProcessor": "PersonImageProcessor",
    "PosturePictureProcessor": "PostureImageProcessor",
    "RetargetNet": "RetargetNetModel",
    "agreement": "pose_agreement",
    "poses_at": "labelled_frames",
}


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        new = _RENAMED[name]
        warnings.warn(f"motionhub.{name} is now motionhub.{new}; use the new name.", FutureWarning, stacklevel=2)
        return __getattr__(new)
    if name not in _HOMES:
        raise AttributeError(f"module 'motionhub' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


watch_imports()
