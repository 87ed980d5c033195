# /// script
# requires-python = ">=3.11"
# dependencies = ["motionhub[video] @ git+https://github.com/motionhub/motionhub"]
#
# [tool.hf-jobs]
# flavor = "cpu-upgrade"
# timeout = "6h"
# name = "extract-poses"
# ///
"""Keypoints of all videos of a folder, as a job on the Hub.

    hf jobs uv run --dry-run examples/jobs/extract_poses.py /videos /poses       # what would be sent
    hf jobs uv run -v hf://datasets/OWNER/videos:/videos:ro -v hf://buckets/OWNER/poses:/poses \
        examples/jobs/extract_poses.py /videos /poses

One .npz for each video. A job that ran out of time is started again with the same line: videos that have their file
are kept. Further options are those of `motionhub poses`, such as --estimator rtmlib --num_proc 8.
"""

import sys
from pathlib import Path


SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm"}


def main(argv: list[str]) -> int:
    from motionhub.cli.main import main as motionhub

    if len(argv) < 2:
        print("usage: extract_poses.py VIDEOS OUTPUT [OPTIONS of motionhub poses]", file=sys.stderr)
        return 2
    folder, output, *options = argv
    videos = sorted(str(path) for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
    if not videos:
        print(f"{folder}: no videos ({', '.join(sorted(SUFFIXES))}) there; mount them with -v", file=sys.stderr)
        return 2
    return motionhub(["poses", *videos, "--output", output, *options])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
