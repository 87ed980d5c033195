"""Processor seconds and bytes of each stage of a large extraction, per frame and per clip, and a plan made of them.

    OMP_NUM_THREADS=1 python benchmarks/extraction_rates.py --videos ../shared/videos --seconds 2

Seconds are of the process's threads (`time.process_time`), so that what else runs on the machine counts little.
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq

from motionhub.data.build.shards import PARQUET, rows_to_table
from motionhub.data.formats.schema import features
from motionhub.data.video.reader import open_video
from motionhub.poses.estimators import get_estimator
from motionhub.poses.video_dataset import aggregate_clips
from motionhub.poses.windows import Window, detect, follow_through
from motionhub.skeletons.rows import to_row


T = TypeVar("T")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=Path, required=True, help="folder of real videos")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each video")
    parser.add_argument("--estimator", default="mediapipe", help="pose estimator")
    arguments = parser.parse_args()
    finder, loading = timed(lambda: get_estimator(arguments.estimator))
    totals = dict.fromkeys(
        ("frames", "decoding", "estimating", "SST-A and writing", "clips", "bytes", "detections"), 0.0
    )
    print("video, size: frames; ms a frame: decoding, with estimator; ms a clip: tracks, SST-A of two, writing; bytes")
    for path in sorted(arguments.videos.glob("*.*")):
        video = open_video(path)
        frames, decoding = timed(lambda video=video: decoded(video, arguments.seconds))
        found, estimating = timed(lambda video=video: detect(video, finder, Window(0.0, 0.0, arguments.seconds)))
        size, finishing = timed(lambda found=found, path=path: finished(found, path.name))
        arrays = (found.keypoints, found.confidence, found.boxes, found.world)
        detections = sum(0 if array is None else array.nbytes for array in arrays)
        of_frames = [1000 * seconds / frames for seconds in (decoding, estimating)]
        print(
            f"{path.name}, {video.size[0]}x{video.size[1]}: {frames}; {of_frames[0]:.1f}, {of_frames[1]:.1f}; "
            f"{1000 * finishing:.0f}; {size} in a shard, {detections} between stages",
            flush=True,
        )
        values = (frames, decoding, estimating, finishing, 1, size, detections)
        totals = {name: total + value for (name, total), value in zip(totals.items(), values, strict=True)}
    frames, clips = totals["frames"], totals["clips"]
    print(f"loading {arguments.estimator}: {loading:.2f} s")
    print(
        f"mean of {frames:.0f} frames of {clips:.0f} videos: decoding {1000 * totals['decoding'] / frames:.1f} ms, "
        f"with estimator {1000 * totals['estimating'] / frames:.1f} ms a frame; SST-A and writing "
        f"{1000 * totals['SST-A and writing'] / clips:.0f} ms a clip; {totals['bytes'] / frames:.0f} bytes a frame in "
        f"a shard, {totals['detections'] / frames:.0f} between stages"
    )


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call returns, and the processor seconds it takes."""
    began = time.process_time()
    value = call()
    return value, time.process_time() - began


def decoded(video, seconds: float) -> int:
    """Number of frames before so many seconds, decoded."""
    count = 0
    for frame in video.frames():
        if frame.time >= seconds:
            break
        count += 1
    return count


def finished(found, name: str) -> int:
    """Size in a shard of the clip of two experts that both found this."""
    clips = [follow_through([found])[0].clip for _ in range(2)]
    clip = aggregate_clips(clips, "posetics-17", 0.0)
    rows = [] if isinstance(clip, str) else [to_row(clip, label=0, clip_id=name, source="videos", licence="none")]
    file = io.BytesIO()
    schema = features(["a"]).arrow_schema
    pq.write_table(rows_to_table(rows, schema), file, compression="zstd", **PARQUET)
    empty = io.BytesIO()
    pq.write_table(rows_to_table([], schema), empty, compression="zstd", **PARQUET)
    return len(file.getvalue()) - len(empty.getvalue())


if __name__ == "__main__":
    main()
