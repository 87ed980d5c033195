"""Results of MMPose 1.x and its inferencer: JSON (`instance_info`, or frames of `instances`) and dumped pickles."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.folders import number_in
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import finds, frames_in, in_folder, load_document
from motionhub.data.formats.people import clip_of_frames, clips_in, read_people
from motionhub.data.formats.persons import Program
from motionhub.data.formats.plain_pickle import array
from motionhub.skeletons.sequence import SkeletonSequence


# Its lifted keypoints are metres, z up, the lowest joint at z = 0.
# The first 70 of 308 keypoints (Sapiens) are those of mhr-70.
PROGRAM = Program(
    layouts={17: "coco-17", 26: "halpe-26", 70: "mhr-70", 133: "coco-wholebody-133"},
    unit="metre",
    up="z",
    first={308: 70},
    lifted={17: "h36m-17"},
    default="noted",
)


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2)` pixels, or `(people, frames, joints, 3)` metres, z up, of lifted poses.

    `meta_info` names the joints or their dataset; without it 17 joints are coco-17 (lifted h36m-17), 26 halpe-26, 133
    coco-wholebody-133 (the body is kept), where the bodies fit. Scores of some models are larger than 1.
    """
    if path.is_dir():
        return _in_space(path, read_people(path, options, PROGRAM))
    content = load_document(path)
    if isinstance(content, list) and content and all(isinstance(one, dict) and "preds" in one for one in content):
        return clips_of_dump(path, content, options)
    return _in_space(path, clips_in(path, content, options, PROGRAM))


def _in_space(path: Path, clips: list[SkeletonSequence]) -> list[SkeletonSequence]:
    """The clips, with a note on the axes of lifted poses."""
    if any(clip.num_dims == 3 for clip in clips):
        text = "MMPose negates x of lifted poses, so they are mirrored in space"
        note(path, "axes", f'{text}; motionhub.skeletons.repair.flip_axes(sequence, axes=["x"]) turns them back.')
    return clips


def clips_of_dump(path: Path, content: list[dict[str, Any]], options: ReadOptions) -> list[SkeletonSequence]:
    """One clip of a pickled list of `pred_instances` by image (`test.py --dump`), or of `preds` (MMPose 0.x)."""
    frames: dict[int, list[dict[str, Any]]] = {}
    for index, entry in enumerate(content):
        for image, person in _dumped(path, f"result {index}", entry):
            number = number_in(image, -1) if isinstance(image, str) else image
            if type(number) is not int or number < 0:
                raise bad_file(path, f"result {index}", f"expected an image with a number, got {str(image)[:40]!r}.")
            frames.setdefault(number, []).append(person)
    found, facts = frames_in(path, [{"frame": number, "instances": people} for number, people in frames.items()])
    return [clip_of_frames(path, found, facts, options, PROGRAM)]


def _dumped(path: Path, place: str, entry: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The image and the keypoints of each person."""
    if "preds" in entry:
        people = array(path, f"{place}.preds", entry["preds"])
        images = entry.get("image_paths")
        if people.ndim != 3 or not isinstance(images, list) or len(images) != len(people):
            raise bad_file(
                path, place, f"expected preds (people, joints, 3) and as many image_paths, got {people.shape}."
            )
        yield from ((image, {"keypoints": person.tolist()}) for image, person in zip(images, people, strict=True))
        return
    predicted = entry.get("pred_instances")
    if not isinstance(predicted, dict):
        raise bad_file(path, place, f"expected pred_instances, got {type(predicted).__name__}.")
    points = array(path, f"{place}.keypoints", predicted.get("keypoints"))
    scores = array(path, f"{place}.keypoint_scores", predicted.get("keypoint_scores"))
    if points.ndim != 3 or scores.shape != points.shape[:2]:
        raise bad_file(path, place, f"expected keypoints (people, joints, 2) and their scores, got {points.shape}.")
    for person, score in zip(points.tolist(), scores.tolist(), strict=True):
        yield entry.get("img_path", entry.get("img_id")), {"keypoints": person, "keypoint_scores": score}


FORMAT = Format(
    name="mmpose",
    title="MMPose results (JSON)",
    matches=in_folder(lambda path, head: finds(path, head, r'"instance_info"|"keypoint_scores"|"preds"')),
    read=read,
    container="json",
    signature='object with "instance_info", or frames of "instances", with "keypoints" and "keypoint_scores"',
    needs=("fps",),
)
