"""Toyota Smarthome (trimmed) poses: one LCR-Net JSON per clip, 2-D or 3-D."""

import re
from collections.abc import Sequence
from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_called
from motionhub.data.datasets.lcrnet_poses import UNIT_REMARK, image_poses, in_space, named_format
from motionhub.data.datasets.protocols import Protocol, Row, Split, by_value
from motionhub.data.formats.files import name_parts


PUBLISHED = Published("smarthome")
# In the order of the cross-subject protocol; the cross-view ones have 19 of them in another order.
CLASS_NAMES = PUBLISHED.classes
CV_CLASSES = (
    *("Cutbread", "Drink.Frombottle", "Drink.Fromcan", "Drink.Fromcup", "Drink.Fromglass", "Eat.Attable", "Eat.Snack"),
    *("Enter", "Getup", "Leave", "Pour.Frombottle", "Pour.Fromcan", "Readbook", "Sitdown", "Takepills", "Uselaptop"),
    *("Usetablet", "Usetelephone", "Walk"),
)
TRAIN_SUBJECTS = frozenset({3, 4, 6, 7, 9, 12, 13, 15, 17, 19, 25})
FPS = 20.0
_NAME = re.compile(r"([A-Za-z.]{1,40})_p(\d\d)_r(\d\d)_v(\d\d)_c(\d\d)(?:_.*)?")


def annotate(path: Path) -> ClipFacts:
    """Everything from the name `Class_pPP_rRR_vVV_cCC` (performer, repetition, video, camera)."""
    title, subject, _, _, camera = name_parts(path, _NAME, "Class_pPP_rRR_vVV_cCC.json (performer, ..., camera)")
    label = label_called(path, "name", title, CLASS_NAMES)
    return ClipFacts(label, int(subject), int(camera), None, clip_id=path.stem)


def _cross_view(name: str, cameras: set[int]) -> Protocol:
    """Tests camera 2 on 19 classes."""
    train = f"camera{'s' if len(cameras) > 1 else ''} {', '.join(map(str, sorted(cameras)))}"
    source = f"Cross-view: train on {train}, test on camera 2, 19 classes (Das et al., ICCV 2019)."
    labels = {CLASS_NAMES.index(title) for title in CV_CLASSES}
    by_camera = by_value("camera", cameras, {2})

    def assign(rows: Sequence[Row]) -> list[Split]:
        splits = zip(rows, by_camera(rows), strict=True)
        return [split if int(row["label"]) in labels else None for row, split in splits]

    return Protocol(name, source, assign, class_names=CV_CLASSES)


DATASET = Dataset(
    format=named_format(PUBLISHED, _NAME, image_poses(FPS)),
    annotate_clip=annotate,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(
        PUBLISHED.protocol("cs", by_value("subject", TRAIN_SUBJECTS, None)),
        _cross_view("cv1", {1}),
        _cross_view("cv2", {1, 3, 4, 6, 7}),
    ),
    **PUBLISHED.fields(),
)
DATASET_3D = in_space(DATASET, f"{DATASET.remarks}. {UNIT_REMARK}", ("toyotasmarthome3d",))
