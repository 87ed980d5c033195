"""The control beside every trained number: a linear ridge classifier on the resampled joints, no network.

    python examples/linear_baseline.py --dataset n-ucla --data_root nucla_views12.zip --protocol cross-subject \
        --model hub_configs/unik-nucla

The joints are what the checkpoint's processor gives its model at test time (same normalisation, same frames), all
in one row. The ridge strength is chosen on the training clips alone, by leave-one-out. With --output_dir the report is
written like a training run's, for examples/write_card.py.
"""

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import AutoFeatureExtractor, HfArgumentParser

import motionhub


@dataclass
class Output:
    output_dir: str | None = field(default=None, metadata={"help": "Folder for last/metrics.json and log.jsonl."})


def main(argv: list[str]) -> None:
    parser = HfArgumentParser([motionhub.RunArguments, Output], description=__doc__.split("\n")[0])
    arguments, output = parser.parse_args_into_dataclasses(argv)
    started = time.perf_counter()
    splits = motionhub.load_splits(arguments)
    processor = AutoFeatureExtractor.from_pretrained(arguments.model)

    parts = {}
    for name in ("train", arguments.eval_split):
        clips = motionhub.ClipDataset(splits[name], processor, training=False)
        joints = np.stack([clips[index]["keypoints"].numpy().reshape(-1) for index in range(len(clips))])
        parts[name] = joints, clips.labels

    classifier = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=10.0 ** np.arange(0, 7)))
    classifier.fit(*parts["train"])
    joints, labels = parts[arguments.eval_split]
    names = splits["train"].features["label"].names
    scores = np.full((len(labels), len(names)), -1e9)
    scores[:, classifier.classes_] = classifier.decision_function(joints)
    report = motionhub.classification_report(scores, labels, names)
    print(motionhub.format_report(report))
    print(f"ridge strength {classifier[-1].alpha_:g}, {joints.shape[1]} numbers a clip")
    if output.output_dir is not None:
        motionhub.save_report(Path(output.output_dir) / "last", report)
        log = {"kind": "eval", "seconds": time.perf_counter() - started}
        (Path(output.output_dir) / "log.jsonl").write_text(json.dumps(log) + "\n")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
