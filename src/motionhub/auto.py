"""The table of configs, models, processors, Auto classes and pipelines. A new model adds one entry.

Importing this module registers them with transformers, so that `AutoModel.from_pretrained` and `pipeline` find them.
`motionhub.registration` imports it when one of them is first requested. Private names of transformers are imported in
this file only.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, NoReturn

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForPreTraining,
    AutoProcessor,
    AutoTokenizer,
    Pipeline,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.feature_extraction_utils import FeatureExtractionMixin
from transformers.models.auto.auto_factory import _BaseAutoModelClass, _LazyAutoMapping
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.video_processing_auto import AutoVideoProcessor
from transformers.pipelines import PIPELINE_REGISTRY

from motionhub.hub.remote_code import carry_remote_code
from motionhub.models.agcn import AgcnConfig, AgcnForActionClassification, AgcnForActionSegmentation, AgcnModel
from motionhub.models.cv_mim import CvMimConfig, CvMimForActionClassification, CvMimModel
from motionhub.models.exported import exported_model
from motionhub.models.lac import LacConfig, LacModel
from motionhub.models.lcr_net import LcrNetConfig, LcrNetModel
from motionhub.models.ltn import LtnConfig, LtnModel
from motionhub.models.movement_quality import MovementQualityConfig, SkeletonForMovementQuality
from motionhub.models.r3d import R3dConfig, R3dForActionClassification, R3dForPreTraining, R3dModel
from motionhub.models.retarget_net import RetargetNetConfig, RetargetNetForMotionRetargeting, RetargetNetModel
from motionhub.models.st_gcn import StGcnConfig, StGcnForActionClassification, StGcnForActionSegmentation, StGcnModel
from motionhub.models.t_mor import TMorConfig, TMorForZeroShotActionClassification, TMorModel
from motionhub.models.u_vi import UViConfig, UViForActionClassification, UViForMovementQuality, UViModel
from motionhub.models.unik import UnikConfig, UnikForActionClassification, UnikForActionSegmentation, UnikModel
from motionhub.models.vi_clip import ViClipConfig, ViClipModel
from motionhub.models.via import ViaConfig, ViaForActionClassification, ViaForMotionRetargeting, ViaModel
from motionhub.models.video_backbone import VideoBackboneConfig, VideoBackboneModel
from motionhub.pipelines.action_classification import ActionClassificationPipeline
from motionhub.pipelines.action_segmentation import ActionSegmentationPipeline
from motionhub.pipelines.motion_retargeting import MotionRetargetingPipeline
from motionhub.pipelines.movement_quality import MovementQualityPipeline
from motionhub.pipelines.skeleton_feature_extraction import SkeletonFeatureExtractionPipeline
from motionhub.pipelines.zero_shot_action_classification import ZeroShotActionClassificationPipeline
from motionhub.pipelines.zero_shot_action_segmentation import ZeroShotActionSegmentationPipeline
from motionhub.processing.person_images import PersonImageProcessor, PictureProcessor
from motionhub.processing.posture_images import PostureImageProcessor, PosturePictureProcessor
from motionhub.processing.retargeting import RetargetProcessor
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.processing.video_clip import VideoClipProcessor


RetargetNet = RetargetNetModel  # its name in the `auto_map` of checkpoints saved before 0.1.0


class _OrExport(_BaseAutoModelClass):
    """An Auto class that also loads a folder of `motionhub export --to onnx`."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *arguments: Any, **options: Any) -> Any:
        made = exported_model(pretrained_model_name_or_path)
        return super().from_pretrained(pretrained_model_name_or_path, *arguments, **options) if made is None else made


class _AutoModelOrExport(_OrExport, AutoModel):
    """`AutoModel` of the pipelines."""


class AutoModelForActionClassification(_OrExport):
    """`from_pretrained(folder_or_repo)` gives a model that labels clips: one set of logits per clip.

    Examples:
        >>> config = motionhub.UnikConfig(num_labels=5, channels=[8], strides=[1])
        >>> model = motionhub.AutoModelForActionClassification.from_config(config)
        >>> type(model).__name__
        'UnikForActionClassification'
    """

    _model_mapping: Any = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())


class AutoModelForActionSegmentation(_OrExport):
    """`from_pretrained(folder_or_repo)` gives a model that labels every frame: logits `(batch, frames, labels)`.

    Examples:
        >>> config = motionhub.UnikConfig(num_labels=5, channels=[8], strides=[1])
        >>> model = motionhub.AutoModelForActionSegmentation.from_config(config)
        >>> type(model).__name__
        'UnikForActionSegmentation'
    """

    _model_mapping: Any = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())


class AutoModelForMotionRetargeting(_OrExport):
    """`from_pretrained(folder_or_repo)` gives a model that transfers a motion to another body: `retarget(a, b)`.

    Examples:
        >>> config = motionhub.RetargetNetConfig(variant="full")
        >>> model = motionhub.AutoModelForMotionRetargeting.from_config(config)
        >>> type(model).__name__
        'RetargetNetForMotionRetargeting'
    """

    _model_mapping: Any = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())


class AutoModelForZeroShotActionClassification(_OrExport):
    """`from_pretrained(folder_or_repo)` gives a model that compares motions with texts: one logit per text.

    Examples:
        >>> encoder = motionhub.UnikConfig(channels=[8], strides=[1])
        >>> config = motionhub.TMorConfig(encoder_config=encoder, projection_size=6)
        >>> model = motionhub.AutoModelForZeroShotActionClassification.from_config(config)
        >>> type(model).__name__
        'TMorForZeroShotActionClassification'
    """

    _model_mapping: Any = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())


class AutoModelForMovementQuality(_OrExport):
    """`from_pretrained(folder_or_repo)` gives a model that rates movement quality: one score per clip.

    Examples:
        >>> encoder = motionhub.UnikConfig(channels=[8], strides=[1])
        >>> config = motionhub.MovementQualityConfig(encoder_config=encoder, recurrent_size=8)
        >>> model = motionhub.AutoModelForMovementQuality.from_config(config)
        >>> type(model).__name__
        'SkeletonForMovementQuality'
    """

    _model_mapping: Any = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())


@dataclass(frozen=True)
class Family:
    """A config with its processor, and the class that each Auto class gives for it."""

    config: type[PreTrainedConfig]
    processor: type[FeatureExtractionMixin]
    models: dict[type, type[PreTrainedModel]] = field(default_factory=dict)


def _skeleton_family(config: Any, model: Any, classifier: Any, segmenter: Any) -> Family:
    heads: dict[type, Any] = {
        AutoModel: model,
        AutoModelForActionClassification: classifier,
        AutoModelForActionSegmentation: segmenter,
    }
    return Family(config, SkeletonProcessor, heads)


FAMILIES: tuple[Family, ...] = (
    _skeleton_family(UnikConfig, UnikModel, UnikForActionClassification, UnikForActionSegmentation),
    _skeleton_family(AgcnConfig, AgcnModel, AgcnForActionClassification, AgcnForActionSegmentation),
    _skeleton_family(StGcnConfig, StGcnModel, StGcnForActionClassification, StGcnForActionSegmentation),
    Family(
        CvMimConfig,
        SkeletonProcessor,
        {AutoModel: CvMimModel, AutoModelForActionClassification: CvMimForActionClassification},
    ),
    Family(
        RetargetNetConfig,
        RetargetProcessor,
        {AutoModel: RetargetNetModel, AutoModelForMotionRetargeting: RetargetNetForMotionRetargeting},
    ),
    Family(LacConfig, RetargetProcessor, {AutoModel: LacModel, AutoModelForMotionRetargeting: LacModel}),
    Family(
        ViaConfig,
        SkeletonProcessor,
        {
            AutoModel: ViaModel,
            AutoModelForActionClassification: ViaForActionClassification,
            AutoModelForMotionRetargeting: ViaForMotionRetargeting,
        },
    ),
    Family(
        TMorConfig,
        SkeletonProcessor,
        {AutoModel: TMorModel, AutoModelForZeroShotActionClassification: TMorForZeroShotActionClassification},
    ),
    Family(
        MovementQualityConfig,
        SkeletonProcessor,
        {AutoModel: SkeletonForMovementQuality, AutoModelForMovementQuality: SkeletonForMovementQuality},
    ),
    Family(
        UViConfig,
        PostureImageProcessor,
        {
            AutoModel: UViModel,
            AutoModelForActionClassification: UViForActionClassification,
            AutoModelForMovementQuality: UViForMovementQuality,
        },
    ),
    Family(LcrNetConfig, PersonImageProcessor, {AutoModel: LcrNetModel}),
    Family(ViClipConfig, VideoClipProcessor, {AutoModel: ViClipModel}),
    Family(LtnConfig, VideoClipProcessor, {AutoModel: LtnModel}),
    Family(VideoBackboneConfig, VideoClipProcessor, {AutoModel: VideoBackboneModel}),
    Family(
        R3dConfig,
        VideoClipProcessor,
        {
            AutoModel: R3dModel,
            AutoModelForActionClassification: R3dForActionClassification,
            AutoModelForPreTraining: R3dForPreTraining,
        },
    ),
)

# Task -> (pipeline class, Auto class that loads its model).
PIPELINES: dict[str, tuple[type[Pipeline], type]] = {
    "action-classification": (ActionClassificationPipeline, AutoModelForActionClassification),
    "action-segmentation": (ActionSegmentationPipeline, AutoModelForActionSegmentation),
    "motion-retargeting": (MotionRetargetingPipeline, AutoModelForMotionRetargeting),
    "movement-quality": (MovementQualityPipeline, AutoModelForMovementQuality),
    "skeleton-feature-extraction": (SkeletonFeatureExtractionPipeline, AutoModel),
    "zero-shot-action-classification": (
        ZeroShotActionClassificationPipeline,
        AutoModelForZeroShotActionClassification,
    ),
    "zero-shot-action-segmentation": (ZeroShotActionSegmentationPipeline, AutoModelForZeroShotActionClassification),
}


class WrongTask:
    """Registered for a model (or tokenizer) that a family does not have; its error names the available tasks.

    `pipeline("video-classification", model=...)` and `AutoModelForVideoClassification.from_pretrained(...)` end here.
    It raises a LookupError because `pipeline` prints the traceback of a ValueError once for each of its classes.
    """

    @classmethod
    def from_pretrained(cls, source: Any, *arguments: Any, config: Any = None, **options: Any) -> NoReturn:
        if config is None:
            config = AutoConfig.from_pretrained(source, **options)
        raise LookupError(_available_tasks(config, str(source)))

    @classmethod
    def _from_config(cls, config: Any, **options: Any) -> NoReturn:
        raise LookupError(_available_tasks(config, "CHECKPOINT"))


def tasks_of(family: Family) -> list[str]:
    """The tasks of `pipeline` for a family's checkpoints; none if their input is images."""
    if family.processor not in (SkeletonProcessor, RetargetProcessor):
        return []
    tasks = [task for task, (_, auto_class) in PIPELINES.items() if auto_class in family.models]
    # A score is no feature vector.
    scores_only = family.models[AutoModel] is family.models.get(AutoModelForMovementQuality)
    return [task for task in tasks if not (scores_only and PIPELINES[task][1] is AutoModel)]


def _available_tasks(config: PreTrainedConfig, source: str) -> str:
    family = next(family for family in FAMILIES if isinstance(config, family.config))
    tasks = sorted(tasks_of(family), key=lambda task: PIPELINES[task][1] is not AutoModel)
    which = f"{source} is a motionhub checkpoint ({config.model_type}) with no tokenizer and no head for this task"
    if not tasks:
        return (
            f"{which}; call AutoModel.from_pretrained({source!r}) on the output of "
            f"AutoFeatureExtractor.from_pretrained({source!r})."
        )
    others = f", or one of its other tasks {tasks[1:]}" if tasks[1:] else ""
    return f"{which}; call pipeline({tasks[0]!r}, model={source!r}){others}."


def _register() -> None:
    for family in FAMILIES:
        AutoConfig.register(family.config.model_type, family.config, exist_ok=True)
        AutoFeatureExtractor.register(family.config, family.processor, exist_ok=True)
        # Not the family's processor: the checkpoint's file may name another. Without this line AutoProcessor returns
        # the tokenizer of a checkpoint that has one.
        AutoProcessor.register(family.config, AutoFeatureExtractor, exist_ok=True)
        if family.processor is VideoClipProcessor:
            AutoVideoProcessor.register(family.config, AutoFeatureExtractor, exist_ok=True)
        for auto_class, model in family.models.items():
            auto_class.register(family.config, model, exist_ok=True)  # type: ignore[attr-defined]
        named = {auto_class.__name__: model for auto_class, model in family.models.items()}
        carry_remote_code(family.config, {"AutoConfig": family.config, **named}, tuple(family.models.values()))
        kind = "AutoFeatureExtractor" if issubclass(family.processor, FeatureExtractionMixin) else "AutoProcessor"
        carry_remote_code(family.processor, {kind: family.processor})
    for renamed in (PictureProcessor, PosturePictureProcessor):  # in files of earlier versions
        AutoFeatureExtractor.register(renamed, renamed, exist_ok=True)
    for task, (pipeline_class, auto_class) in PIPELINES.items():
        PIPELINE_REGISTRY.register_pipeline(
            task,
            pipeline_class=pipeline_class,
            pt_model=_AutoModelOrExport if auto_class is AutoModel else auto_class,
            type="multimodal",
        )
    _refuse_other_tasks()


def _refuse_other_tasks() -> None:
    for family in FAMILIES:
        AutoTokenizer.register(family.config, WrongTask, exist_ok=True)
        for task in PIPELINE_REGISTRY.supported_tasks.values():
            for auto_class in task["pt"]:
                if auto_class not in family.models and auto_class is not _AutoModelOrExport:
                    auto_class.register(family.config, WrongTask, exist_ok=True)


_register()
