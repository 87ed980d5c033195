# /// script
# requires-python = ">=3.11"
# dependencies = ["motionhub[http] @ git+https://github.com/motionhub/motionhub"]
#
# [tool.hf-jobs]
# flavor = "a10g-small"
# timeout = "12h"
# name = "train"
# secrets = ["HF_TOKEN"]
# ///
"""Training on shards of a Hub dataset, as a job on the Hub; the checkpoint is pushed at the end.

    hf jobs uv run --dry-run examples/jobs/train.py OWNER/checkpoint --dataset OWNER/clips --stream ...
    hf jobs uv run -v hf://buckets/OWNER/runs:/runs examples/jobs/train.py OWNER/checkpoint \
        --dataset hf://datasets/OWNER/clips --stream --model unik-posetics --mode scratch --output_dir /runs/first

A job that ran out of time is started again with the same line: the run resumes from /runs. On a flavor with several
cards (such as a10g-largex4) each card gets a process. Further options are those of `motionhub train`.
"""

import subprocess
import sys


def main(argv: list[str]) -> int:
    if len(argv) < 2 or argv[0].startswith("--") or "--output_dir" not in argv:
        print("usage: train.py OWNER/NAME --output_dir FOLDER [OPTIONS of motionhub train]", file=sys.stderr)
        return 2
    repo_id, *options = argv
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "auto"]
    trained = subprocess.run([*run, "-m", "motionhub.cli.main", "train", *options], check=False).returncode
    if trained:
        return trained
    from motionhub.cli.main import main as motionhub

    return motionhub(["push", f"{options[options.index('--output_dir') + 1]}/best", repo_id])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
