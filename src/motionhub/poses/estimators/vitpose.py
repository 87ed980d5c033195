"""Two networks of transformers: a detector finds people, ViTPose finds the 17 joints of COCO in each box.

Both are ordinary checkpoints; their processors' Pillow versions prepare the images, without torchvision.
"""

from typing import Any

import numpy as np

from motionhub.data.video.reader import VideoFrame
from motionhub.poses.estimators.estimator import Estimator, PersonInFrame


DETECTOR = "PekingU/rtdetr_r50vd_coco_o365"
POSE_MODEL = "usyd-community/vitpose-base-simple"
# ViTPose++ has one expert for each dataset that it was trained on; the first is COCO's.
_COCO_EXPERT = 0


class VitPoses(Estimator):
    """The estimator; see the module.

    Args:
        detector, pose_model: Hub ids or folders of an object detector with a class "person" and of a ViTPose with
            COCO's joints.
        num_people: the most likely so many of a frame.
        min_confidence: of the detector, for a box to count.
        device: of torch, such as "cuda"; None takes a GPU where there is one.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: a checkpoint cannot be loaded, the detector knows no person, or ViTPose has other joints.
    """

    name = "vitpose"
    layout = "coco-17"

    def __init__(
        self,
        detector: str = DETECTOR,
        pose_model: str = POSE_MODEL,
        *,
        num_people: int = 10,
        min_confidence: float = 0.5,
        device: str | None = None,
    ) -> None:
        import torch
        from transformers import AutoModelForObjectDetection, VitPoseForPoseEstimation

        self.num_people, self.min_confidence = num_people, min_confidence
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._detector, self._boxes = _loaded(AutoModelForObjectDetection, detector, self.device)
        self._pose, self._crops = _loaded(VitPoseForPoseEstimation, pose_model, self.device)
        names = {str(name).lower(): int(number) for number, name in self._detector.config.id2label.items()}
        if "person" not in names:
            raise ValueError(f"{detector}: expected a detector with a class 'person', got {sorted(names)[:8]}.")
        self._person = names["person"]
        joints = self._pose.config.num_labels
        if joints != 17:
            raise ValueError(f"{pose_model}: expected the 17 joints of COCO, got {joints}.")

    def __call__(self, frame: VideoFrame) -> list[PersonInFrame]:
        import torch

        with torch.inference_mode():
            boxes = self._people(frame.image)
            return self._joints(frame.image, boxes) if len(boxes) else []

    def _people(self, image: np.ndarray) -> np.ndarray:
        """`(people, 4)` left, top, right, bottom; the most likely first."""
        inputs = self._boxes(images=image, return_tensors="pt").to(self.device)
        found = self._boxes.post_process_object_detection(
            self._detector(**inputs), threshold=self.min_confidence, target_sizes=[image.shape[:2]]
        )[0]
        people = found["labels"] == self._person
        scores, boxes = found["scores"][people], found["boxes"][people]
        order = scores.argsort(descending=True)[: self.num_people]
        kept = boxes[order].cpu().numpy().astype(np.float64)
        return kept[(kept[:, 2] - kept[:, 0] > 1) & (kept[:, 3] - kept[:, 1] > 1)]

    def _joints(self, image: np.ndarray, boxes: np.ndarray) -> list[PersonInFrame]:
        corners_and_sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        inputs = self._crops(images=image, boxes=[corners_and_sizes], return_tensors="pt").to(self.device)
        if self._pose.config.backbone_config.num_experts > 1:
            import torch

            inputs["dataset_index"] = torch.full((len(boxes),), _COCO_EXPERT, device=self.device)
        outputs = self._pose(**inputs)
        people = self._crops.post_process_pose_estimation(outputs, boxes=[corners_and_sizes])[0]
        return [
            PersonInFrame(person["keypoints"].numpy(), np.clip(person["scores"].numpy(), 0, 1), box)
            for person, box in zip(people, boxes, strict=True)
        ]


def _loaded(family: Any, name: str, device: Any) -> tuple[Any, Any]:
    """The network and its processor."""
    from transformers import AutoImageProcessor

    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise ImportError("The estimator 'vitpose' needs Pillow: pip install \"motionhub[vitpose]\"") from None
    try:
        processor = AutoImageProcessor.from_pretrained(name, backend="pil")
        model = family.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{name}: cannot be loaded ({reason}); fetch it with: hf download {name}") from None
    return model.to(device).eval(), processor
