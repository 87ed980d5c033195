"""UI-PRMD rehabilitation movements by Kinect (not Vicon), from one `.npz` with many clips."""

import itertools
import zipfile
from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published, label_numbered
from motionhub.data.datasets.protocols import leave_one_out, odd_subjects
from motionhub.data.formats.arrays import archive_of
from motionhub.data.formats.files import bad_file, read_bytes
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PUBLISHED = Published("ui-prmd")
CLASS_NAMES = PUBLISHED.classes
FPS = 30.0
NUM_JOINTS = 22
ARRAYS = ("frames", "scale_cm", "offsets", "movement", "subject", "episode", "correct")


def _load(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Some of the arrays. Raises ValueError when one is absent or not numeric."""
    arrays = archive_of(path, read_bytes(path), names)
    absent = [name for name in names if name not in arrays]
    if absent:
        raise bad_file(path, "arrays", f"expected {list(ARRAYS)}, {absent} are absent.")
    for name in names:
        if arrays[name].dtype.kind not in "iufb":
            raise bad_file(path, name, f"expected numbers, got {arrays[name].dtype}.")
    return arrays


def _offsets(path: Path, offsets: np.ndarray, num_frames: int) -> list[int]:
    """The start of each clip, and the end of the last."""
    fits = offsets.ndim == 1 and len(offsets) > 1 and offsets.dtype.kind in "iu"
    if not fits or offsets[0] != 0 or offsets[-1] != num_frames or (offsets[1:] <= offsets[:-1]).any():
        reason = f"expected increasing whole numbers from 0 to the number of frames ({num_frames})"
        raise bad_file(path, "offsets", f"{reason}, got shape {offsets.shape}.")
    return offsets.tolist()


def read(path: Path) -> list[SkeletonSequence]:
    """One person per clip, `(1, num_frames, 22, 3)` metres in the Kinect's frame, y up, in the order of the file."""
    arrays = _load(path, ("frames", "scale_cm", "offsets"))
    frames, scale = arrays["frames"], arrays["scale_cm"]
    if frames.ndim != 3 or frames.shape[1:] != (NUM_JOINTS, 3):
        raise bad_file(path, "frames", f"expected shape (frames, {NUM_JOINTS}, 3), got {frames.shape}.")
    if scale.size != 1 or not 0 < float(scale.item()) < np.inf:
        raise bad_file(path, "scale_cm", "expected one positive number of centimetres.")
    offsets = _offsets(path, arrays["offsets"], len(frames))
    with np.errstate(over="ignore", invalid="ignore"):
        metres = (frames * (float(scale.item()) / 100)).astype(np.float32)
    layout = get_layout("ui-prmd-22")
    return [SkeletonSequence(metres[start:end], layout, FPS, "metre") for start, end in itertools.pairwise(offsets)]


def annotate_all(path: Path) -> list[ClipFacts]:
    """Movement 1..10 as label 0..9, subject, and `setup`: 1 done correctly, 0 not. Ids are mMM_sSS_eEE_c or _i."""
    arrays = _load(path, ("offsets", "movement", "subject", "episode", "correct"))
    clips = len(arrays["offsets"]) - 1 if arrays["offsets"].ndim == 1 else -1
    for name in ("movement", "subject", "episode", "correct"):
        if arrays[name].shape != (clips,) or arrays[name].dtype.kind not in "iub":
            raise bad_file(path, name, f"expected {clips} whole numbers, one per clip, got {arrays[name].shape}.")
    facts = []
    for movement, subject, episode, correct in zip(*(arrays[name].tolist() for name in ARRAYS[3:]), strict=True):
        label = label_numbered(path, "movement", movement, len(CLASS_NAMES), first=1)
        clip_id = f"m{movement:02d}_s{subject:02d}_e{episode:02d}_{'c' if correct else 'i'}"
        facts.append(ClipFacts(label, subject, None, int(bool(correct)), clip_id))
    return facts


def matches(path: Path, head: bytes) -> bool:
    """A zip archive with the arrays of the dataset."""
    if not head.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return {f"{name}.npy" for name in ARRAYS} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


DATASET = Dataset(
    format=PUBLISHED.format(matches, read),
    annotate_all=annotate_all,
    fps=FPS,
    class_names=CLASS_NAMES,
    protocols=(
        odd_subjects(),
        *leave_one_out("subject", {subject: str(subject) for subject in range(1, 11)}, "subject"),
    ),
    **PUBLISHED.fields(),
)
