"""THE table: which config, models, processor, Auto classes and pipelines belong together. A new model adds one entry.

Importing this module tells transformers about them, so that `AutoModel.from_pretrained` and `pipeline` find them.
After `import motionhub` that happens when one of them is first looked for (`motionhub.registration`). It does not know
how any model works. All private names of transformers that the library needs are imported here and nowhere else.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForPreTraining,
    Pipeline,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.feature_extraction_utils import FeatureExtractionMixin
from transformers.models.auto.auto_factory import _BaseAutoModelClass, _LazyAutoMapping
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.pipelines import PIPELINE_REGISTRY

from motionhub.hub.remote_code import carry_remote_code
from motionhub.models.agcn import AgcnConfig, AgcnForActionClassification, AgcnForActionSegmentation, AgcnModel
from motionhub.models.cv_mim import CvMimConfig, CvMimForActionClassification, CvMimModel
from motionhub.models.lac import LacConfig, LacModel
from motionhub.models.lcr_net import LcrNetConfig, LcrNetModel
from motionhub.models.ltn import LtnConfig, LtnModel
from motionhub.models.movement_quality import MovementQualityConfig, SkeletonForMovementQuality
from motionhub.models.r3d import R3dConfig, R3dForActionClassification, R3dForPreTraining, R3dModel
from motionhub.models.retarget_net import RetargetNet, RetargetNetConfig
from motionhub.models.st_gcn import (
    StGcnConfig,
    StGcnForActionClassification,
    StGcnForActionSegmentation,
    StGcnModel,
)
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
from motionhub.processing.pictures import PictureProcessor
from motionhub.processing.posture_pictures import PosturePictureProcessor
from motionhub.processing.retargeting import RetargetProcessor
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.processing.video_clip import VideoClipProcessor


class AutoModelForActionClassification(_BaseAutoModelClass):
    """`from_pretrained(folder_or_repo)` gives the model that names an action: one set of logits per clip."""

    _model_mapping = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())


class AutoModelForActionSegmentation(_BaseAutoModelClass):
    """`from_pretrained(folder_or_repo)` gives the model that labels every frame: logits `(batch, frames, labels)`."""

    _model_mapping = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())


class AutoModelForMotionRetargeting(_BaseAutoModelClass):
    """`from_pretrained(folder_or_repo)` gives the model that puts one motion on another body: `retarget(a, b)`."""

    _model_mapping = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())


class AutoModelForZeroShotActionClassification(_BaseAutoModelClass):
    """`from_pretrained(folder_or_repo)` gives the model that compares motions with texts: one logit per text."""

    _model_mapping = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())


class AutoModelForMovementQuality(_BaseAutoModelClass):
    """`from_pretrained(folder_or_repo)` gives the model that says how well a movement is done: one score per clip."""

    _model_mapping = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())


@dataclass(frozen=True)
class Family:
    """A config with its processor, and the class that each Auto class gives for it."""

    config: type[PreTrainedConfig]
    processor: type[FeatureExtractionMixin]
    models: dict[type, type[PreTrainedModel]] = field(default_factory=dict)


FAMILIES: tuple[Family, ...] = (
    Family(
        UnikConfig,
        SkeletonProcessor,
        {
            AutoModel: UnikModel,
            AutoModelForActionClassification: UnikForActionClassification,
            AutoModelForActionSegmentation: UnikForActionSegmentation,
        },
    ),
    Family(
        AgcnConfig,
        SkeletonProcessor,
        {
            AutoModel: AgcnModel,
            AutoModelForActionClassification: AgcnForActionClassification,
            AutoModelForActionSegmentation: AgcnForActionSegmentation,
        },
    ),
    Family(
        StGcnConfig,
        SkeletonProcessor,
        {
            AutoModel: StGcnModel,
            AutoModelForActionClassification: StGcnForActionClassification,
            AutoModelForActionSegmentation: StGcnForActionSegmentation,
        },
    ),
    Family(
        CvMimConfig,
        SkeletonProcessor,
        {AutoModel: CvMimModel, AutoModelForActionClassification: CvMimForActionClassification},
    ),
    Family(
        RetargetNetConfig,
        RetargetProcessor,
        {AutoModel: RetargetNet, AutoModelForMotionRetargeting: RetargetNet},
    ),
    Family(
        LacConfig,
        RetargetProcessor,
        {AutoModel: LacModel, AutoModelForMotionRetargeting: LacModel},
    ),
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
        PosturePictureProcessor,
        {
            AutoModel: UViModel,
            AutoModelForActionClassification: UViForActionClassification,
            AutoModelForMovementQuality: UViForMovementQuality,
        },
    ),
    Family(LcrNetConfig, PictureProcessor, {AutoModel: LcrNetModel}),
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


def _register() -> None:
    for family in FAMILIES:
        AutoConfig.register(family.config.model_type, family.config, exist_ok=True)
        # AutoProcessor finds a feature extractor by itself when a repository has no other processor.
        AutoFeatureExtractor.register(family.config, family.processor, exist_ok=True)
        for auto_class, model in family.models.items():
            auto_class.register(family.config, model, exist_ok=True)  # type: ignore[attr-defined]
        named = {auto_class.__name__: model for auto_class, model in family.models.items()}
        carry_remote_code(family.config, {"AutoConfig": family.config, **named}, tuple(family.models.values()))
        kind = "AutoFeatureExtractor" if issubclass(family.processor, FeatureExtractionMixin) else "AutoProcessor"
        carry_remote_code(family.processor, {kind: family.processor})
    for task, (pipeline_class, auto_class) in PIPELINES.items():
        PIPELINE_REGISTRY.register_pipeline(
            task, pipeline_class=pipeline_class, pt_model=auto_class, type="multimodal"
        )


_register()
