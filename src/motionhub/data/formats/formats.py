"""`FORMATS` of programs (pose estimators, motion capture, tables), `find_format` with helpful errors, and `write`."""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from motionhub.atomic import atomic_path, write_bytes
from motionhub.data.formats import (
    acclaim,
    alphapose,
    arrays,
    azure_kinect,
    bvh,
    c3d,
    coco,
    cvat,
    deeplabcut,
    detectron2,
    easymocap,
    gltf,
    hdf5,
    humanml3d,
    keypoints,
    label_studio,
    lcrnet,
    mediapipe,
    mmpose,
    motive,
    mvnx,
    nuitrack,
    openpose,
    parquet,
    phones,
    pyskl,
    qualisys,
    rokoko,
    smpl,
    table,
    tfjs,
    torch_files,
    training_arrays,
    trc,
    ultralytics,
    vicon,
    videopose3d,
    vitpose,
    yolo,
    zed,
)
from motionhub.data.formats.files import bad_file, load_json, read_head
from motionhub.data.formats.format import Format
from motionhub.data.formats.frames import is_one_frame_a_file
from motionhub.data.formats.interval_files import holds_intervals
from motionhub.data.formats.matlab import MAGIC, load_variables, variable_names
from motionhub.data.formats.writing import WriteOption, Writer
from motionhub.skeletons.sequence import SkeletonSequence


# Where several fit, the first wins.
_MODULES = (
    *(gltf, hdf5),  # before other JSON, and MATLAB files
    *(openpose, alphapose, coco, label_studio, lcrnet, phones, mediapipe),
    *(ultralytics, mmpose, vitpose, tfjs, easymocap, detectron2, azure_kinect, zed, nuitrack, keypoints),
    *(cvat, yolo),
    *(torch_files, smpl, humanml3d, training_arrays, videopose3d, arrays),
    *(pyskl, parquet, trc, bvh),
    *(c3d, mvnx, acclaim, qualisys, vicon, motive, rokoko, deeplabcut),
    table,
)
FORMATS: dict[str, Format] = {module.FORMAT.name: module.FORMAT for module in _MODULES}
_WRITTEN = (arrays.FORMAT, table.FORMAT, coco.FORMAT, bvh.FORMAT, trc.FORMAT, parquet.FORMAT, openpose.FORMAT)
WRITERS: dict[str, Writer] = {form.writer.name: form.writer for form in _WRITTEN if form.writer is not None}
_NUM_NEAREST, _LOOK_INTO = 3, 64
_SHOWN = 10
_VIDEO = "a video; make keypoints of it first: motionhub poses VIDEO -o OUT.npz, or motionhub.poses.extract(VIDEO)"
_FBX = "import it in Blender (free) and export the armature as BVH, or as glTF (.glb), with its animation"
_OPENSIM = "its joint angles or forces are no positions; give the markers as TRC, or export body positions as CSV"
# Common other contents, and what to do with them.
_FOREIGN = {
    b"PK\x03\x04": "a zip file; extract it and give a file or folder of it, or make a dataset of the authors' zip: "
    "motionhub dataset build NAME --raw ZIP --out FOLDER",
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"Kaydara ": f"an FBX file; {_FBX}",
    b"; FBX": f"an FBX file in text; {_FBX}",
    b"PXR-USDC": f"a USD scene; {_FBX}",
    b"#usda": f"a USD scene in text; {_FBX}",
    b"BLENDER": "a Blender file; export the armature from Blender as BVH, or as glTF (.glb) with its animation",
    b"//Maya ASCII": f"a Maya scene; export FBX, {_FBX}",
    b"#ROSBAG": "a ROS bag; export the topic of the skeletons as CSV or JSON",
    b"\x89MCAP": "an MCAP recording; export the topic of the skeletons as CSV or JSON",
    b"EVENTS1": "a recording of Kinect Studio; play it, and write the joints of the body stream as CSV",
    b"landmark {": "MediaPipe landmarks as protocol buffer text; save them by MessageToJson as JSON",
    b"CDF": "a NetCDF file; if movement wrote it: motionhub.from_movement(xarray.load_dataset(FILE))",
    b"\x89PNG": "a PNG image; a pose estimator makes keypoints of it",
    b"\xff\xd8\xff": "a JPEG image; a pose estimator makes keypoints of it",
    b"RIFF": _VIDEO,
    b"\x1aE\xdf\xa3": _VIDEO,
}


def find_format(path: str | Path, own: Sequence[Format] = ()) -> Format:
    """The format of a file or folder, by its content: `own` formats of datasets go before those of programs.

    Raises ValueError that shows the content and the nearest formats.
    """
    path, known = Path(path), [*own, *FORMATS.values()]
    if os.path.isdir(path):  # path.is_dir() raises for names that are too long
        found = next((form for form in FORMATS.values() if form.matches(path, b"")), None)
        if found is None:
            raise _unknown_folder(path)
        return found
    head = read_head(path)
    found = next((form for form in known if form.matches(path, head)), None)
    if found is None and holds_intervals(path):
        raise bad_file(path, "content", f'labels, not poses; read them by motionhub.read_intervals("{path}").')
    # For damaged content the name selects the format with the helpful error message.
    found = found or next((form for form in known if form.claims_name(path)), None)
    if found is None:
        raise _unknown_format(path, head, [*FORMATS.values(), *own])
    return found


def is_recording(path: str | Path) -> bool:
    """Whether a folder is a recording (with one file per frame), not a folder of recordings."""
    if not os.path.isdir(path):
        return False
    form = next((form for form in FORMATS.values() if form.matches(Path(path), b"")), None)
    return form is not None and (form.container != "json" or is_one_frame_a_file(Path(path)))


def find_writer(path: str | Path, format: str | None = None) -> Writer:
    """The writer called `format`, or of the path's suffix (none: a folder). Raises ValueError with all names."""
    suffix = Path(path).suffix.lower()
    for writer in WRITERS.values():
        if writer.name == format or (format is None and writer.suffix == suffix):
            return writer
    known = ", ".join(f"{writer.name} ({writer.suffix or 'a folder'})" for writer in WRITERS.values())
    what = f"format {format!r}" if format is not None else f"suffix {suffix!r} of {Path(path).name!r}"
    raise WriteOption(f"no writer for {what}; the formats are {known}: format= chooses one.", "format")


def write(
    sequence: SkeletonSequence | Sequence[SkeletonSequence], path: str | Path, format: str | None = None
) -> Path:
    """Writes one clip to a new file (or folder) and makes its parent folders; never overwrites.

    Args:
        sequence: one clip; a list, as `motionhub.read` returns it, only for parquet (one row per clip).
        path: a file that ends in .npz (lossless), .csv, .json (COCO results), .bvh, .trc or .parquet, or a folder
            without suffix (OpenPose).
        format: key of `WRITERS`; None: by the suffix.

    Returns:
        the path.

    Raises:
        WriteError: the disk is full or read-only; nothing is left of it.
        ValueError: unknown format, the path exists, or the format cannot hold the sequence; one line with the fix.

    Examples:
        >>> path = motionhub.write(motionhub.generate("wave", seed=0, layout="coco-17"), "wave.npz")
        >>> motionhub.read(path)[0].layout.name
        'coco-17'
    """
    path = Path(path)
    writer = find_writer(path, format)
    if path.exists():
        raise ValueError(f"{path} exists and is not overwritten; choose another name, or remove it.")
    try:
        content = _encoded(sequence, writer)
    except WriteOption as error:
        raise WriteOption(f"{path}: {error}", error.option) from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    _store(path, content)
    return path


def _encoded(sequence: SkeletonSequence | Sequence[SkeletonSequence], writer: Writer) -> bytes | dict[str, bytes]:
    if isinstance(sequence, SkeletonSequence):
        return writer.encode(sequence)
    several = isinstance(sequence, list | tuple) and all(isinstance(clip, SkeletonSequence) for clip in sequence)
    if several and writer.encode_all is not None:
        return writer.encode_all(sequence)
    got = f"got {type(sequence).__name__}; motionhub.read returns a list: write each, or all to one .parquet file"
    raise ValueError(f"{writer.name} expects one SkeletonSequence, {got}.")


def _store(path: Path, content: bytes | dict[str, bytes]) -> None:
    """Writes everything or nothing, also when it is killed."""
    try:
        if isinstance(content, bytes):
            write_bytes(path, content, new=True)
            return
        with atomic_path(path, new=True) as writing:
            writing.mkdir()
            for name, part in content.items():
                (writing / name).write_bytes(part)
    except FileExistsError:  # created by another process meanwhile
        raise ValueError(f"{path} exists and is not overwritten; choose another name, or remove it.") from None


def _unknown_folder(path: Path) -> ValueError:
    """The error for a folder that is no recording."""
    try:
        names = sorted(entry.name for entry in islice(path.iterdir(), 1000))[:5]
        known = "give a file, or a folder with one JSON file (or YOLO text file) of people per frame"
        if inside := _recordings_in(path):
            known = f"folders in it are recordings, give one: {', '.join(inside)}"
        reason = f"is a directory of no known format (with {names}); {known}."
    except OSError as error:
        reason = f"cannot be read ({error.strerror})."
    return bad_file(path, "folder", reason)


def _recordings_in(path: Path) -> list[str]:
    """The first folders within a folder that are recordings, at most two below it."""
    inside = [each for each in islice(sorted(path.iterdir()), _LOOK_INTO) if each.is_dir()]
    deeper = [each for one in inside for each in islice(sorted(one.iterdir()), _LOOK_INTO) if each.is_dir()]
    return [str(each) for each in islice((each for each in (*inside, *deeper) if is_recording(each)), 3)]


def _unknown_format(path: Path, head: bytes, known: Sequence[Format]) -> ValueError:
    """The error for a file: its content, the signatures of the formats with most words in common, and other names."""
    foreign = _foreign(head)
    if foreign is not None:
        return bad_file(path, "content", f"no known skeleton format ({foreign}).")
    container, shown, words = _describe(path, head)
    same = [form for form in known if form.container == container] or list(known)
    nearest = sorted(same, key=lambda form: -len(words & _words(f"{form.name} {form.title} {form.signature}")))
    named = "; ".join(f"{form.name}: {form.signature}" for form in nearest[:_NUM_NEAREST])
    others = ", ".join(form.name for form in nearest[_NUM_NEAREST:])
    more = f". Others: {others}" if others else ""
    return bad_file(path, "content", f"no known skeleton format ({shown}). Nearest formats: {named}{more}.")


def _foreign(head: bytes) -> str | None:
    """What a common file of another kind is, and the way out."""
    if b"\nendheader" in head.lower():
        return f"an OpenSim table (.mot, .sto); {_OPENSIM}"
    if b"<OpenSimDocument" in head[:500]:
        return "an OpenSim model or setup, no motion; give the markers as TRC"
    if head.startswith(b"PK\x03\x04") and (b"[Content_Types].xml" in head or b"xl/" in head):
        return "an Excel workbook; save the sheet of positions as CSV and give that file"
    if head[257:262] == b"ustar":
        return "a tar archive; extract it and give a file or folder of it"
    binary = next((words for mark, words in _FOREIGN.items() if head.startswith(mark)), None)
    return binary or (_VIDEO if head[4:8] == b"ftyp" else None)


def _words(text: str) -> set[str]:
    """The words of a text in lower case, without plural s."""
    return {word.removesuffix("s") for word in re.findall(r"[a-z0-9]{2,}", text.lower())}


def _describe(path: Path, head: bytes) -> tuple[str, str, set[str]]:
    """The container, a description of the content, and its words."""
    if head.startswith(MAGIC):
        names = variable_names(path)
        if not names:
            load_variables(path, ())  # raises for a broken file
        return "mat", f"a MATLAB file with the variables {names[:_SHOWN]}", _words(" ".join(names))
    if head.lstrip()[:1] in (b"{", b"["):
        return "json", *_describe_json(path)
    text = head.decode("utf-8", errors="ignore")
    unprintable = sum(not (char.isprintable() or char.isspace()) for char in text)
    if b"\0" in head or unprintable > len(head) // 50:
        return "binary", f"a binary file that starts with {head[:12]!r}", set()
    lines = [line[:40] for line in head.decode("utf-8", errors="replace").splitlines()[:3]]
    return "text", f"a text file that starts with the lines {lines}", _words(" ".join(lines))


def _describe_json(path: Path) -> tuple[str, set[str]]:
    try:
        content = load_json(path)
    except ValueError as error:
        return f"JSON: {str(error).removeprefix(f'{path}: ').rstrip('.')}", set()
    words = _words(" ".join(islice(_keys(content), 100)))
    if isinstance(content, dict):
        return f"a JSON object with the keys {_short(content)}", words
    if not isinstance(content, list) or not content:
        return "an empty JSON list", words
    first = content[0]
    inside = f"an object with the keys {_short(first)}" if isinstance(first, dict) else f"a {type(first).__name__}"
    return f"a JSON list of {len(content)} elements, the first {inside}", words


def _short(keys: Any) -> list[str]:
    return [key[:40] for key in islice(keys, _SHOWN)]


def _keys(content: Any, depth: int = 4) -> Iterator[str]:
    """The keys of objects, and of the first elements of their values."""
    if isinstance(content, dict):
        yield from content
        content = list(islice(content.values(), 20))
    if isinstance(content, list) and depth:
        for value in content[:20]:
            yield from _keys(value, depth - 1)
