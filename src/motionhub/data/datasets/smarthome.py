"""Toyota Smarthome (trimmed) poses: one LCR-Net JSON a clip, in the image or in space."""

import re
from collections.abc import Sequence
from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts, Dataset, PaperCounts, listed_classes
from motionhub.data.datasets.lcrnet_poses import MISSING, PROVENANCE, UNIT_REMARK, in_space, named_format
from motionhub.data.datasets.protocols import Protocol, Row, Split, by_value
from motionhub.data.formats.files import bad_file, name_parts


# In the order of the cross-subject protocol; the cross-view ones number 19 of them otherwise.
CLASS_NAMES = listed_classes("smarthome")
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
    if title not in CLASS_NAMES:
        raise bad_file(path, "name", f"expected one of the 31 classes such as {CLASS_NAMES[0]}, got {title}.")
    return ClipFacts(CLASS_NAMES.index(title), int(subject), int(camera), None, clip_id=path.stem)


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
    format=named_format(
        "smarthome",
        "Toyota Smarthome (trimmed), poses in the image",
        _NAME,
        "*_p[0-9][0-9]_r[0-9][0-9]_v[0-9][0-9]_c[0-9][0-9]*.json",
        "Class_pPP_rRR_vVV_cCC.json",
        FPS,
    ),
    aliases=("toyota", "toyotasmarthome", "toyotasmarthome2d", "smarthome2d"),
    annotate_clip=annotate,
    layout="lcrnet-13",
    fps=FPS,
    fps_source="assumed: 20 frames per second, as the videos are said to have; the files carry no time stamps",
    unit="pixel",
    class_names=CLASS_NAMES,
    protocols=(
        Protocol(
            "cs",
            "Cross-subject: train on the 11 listed performers, test on the others, 31 classes (Das et al., ICCV "
            "2019).",
            by_value("subject", TRAIN_SUBJECTS, None),
        ),
        _cross_view("cv1", {1}),
        _cross_view("cv2", {1, 3, 4, 6, 7}),
    ),
    counts=(PaperCounts("all clips", "Das et al., ICCV 2019; OR-VPE, section IV (18 performers)", 16_115, 31, 18),),
    missing_joints=MISSING,
    licence="academic research only, by agreement with the authors; no redistribution",
    homepage="https://project.inria.fr/toyotasmarthome/",
    citation="Das, Dai, Koperski, Minciullo, Garattoni, Bremond, Francesca: Toyota Smarthome: Real-World Activities "
    "of Daily Living. ICCV 2019.",
    provenance=PROVENANCE,
    remarks="Labels are numbered as in the cross-subject protocol; for the other order of the cross-view protocols "
    'call motionhub.data.datasets.splits.relabel(dataset, get_protocol("smarthome", "cv1"))',
    column_notes={"camera": "camera 1..7", "setup": "unknown in this dataset (-1)"},
)
DATASET_3D = in_space(DATASET, f"{DATASET.remarks}. {UNIT_REMARK}", ("toyotasmarthome3d",))
