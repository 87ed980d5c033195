"""Write a checkpoint's card from its runs: results.json (mean, spread, command, time) and README.md.

    python examples/write_card.py hub_configs/unik-nucla --benchmark "N-UCLA cross-subject" --runs runs/s-0 runs/s-1 \
        --command "python examples/finetune_classification.py ... --seed 0"

Repeat for each benchmark; results.json keeps the others. Results are those of the last epoch of each run. --control
marks another method on the same data, which the table shows and the metadata omits.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import motionhub


METRICS = {"top-1": "top1", "mean per-class accuracy": "mean_class_accuracy"}
FRAME_METRICS = {"frame mAP": "frame_map", "edit score": "edit", "event mAP@0.5": "event_map@0.5"}
FRAME_METRICS |= {f"segmental F1@{overlap}": f"f1@{overlap}" for overlap in (10, 25, 50)}
POSE_METRICS = {name: name for name in ("hit@1", "hit@5", "hit@10", "view, hit@1", "coordinates, hit@1")}


def summarise(runs: list[Path], benchmark: str, command: str, control: bool) -> list[dict[str, object]]:
    """An entry per metric: per cent, sample standard deviation over the runs, wall time of one run."""
    reports = [json.loads((run / "last" / "metrics.json").read_text()) for run in runs]
    seconds = float(np.mean([_seconds(run) for run in runs]))
    duration = f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
    entries = []
    for metric, key in (METRICS | FRAME_METRICS | POSE_METRICS).items():
        if key not in reports[0]:
            continue
        values = 100 * np.array([report[key] for report in reports])
        entry = {"benchmark": benchmark, "metric": metric, "value": round(float(values.mean()), 1), "command": command}
        entry |= {"runs": len(runs), "time": f"{duration} a run", "each": values.round(1).tolist()}
        if len(runs) > 1:
            entry["spread"] = round(float(values.std(ddof=1)), 1)
        entries.append(entry | ({"control": True} if control or metric.startswith("coordinates") else {}))
    return entries


def _seconds(run: Path) -> float:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return max(line["seconds"] for line in lines if "seconds" in line)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="checkpoint folder: config.json, card.yaml, optional training.json")
    parser.add_argument("--benchmark", default=None)
    parser.add_argument("--runs", type=Path, nargs="+", default=[])
    parser.add_argument("--command", default="")
    parser.add_argument("--control", action="store_true", help="the runs are of another method")
    arguments = parser.parse_args(argv)
    results_file = arguments.folder / "results.json"
    results = json.loads(results_file.read_text()) if results_file.is_file() else []
    if arguments.runs:
        results = [entry for entry in results if entry["benchmark"] != arguments.benchmark]
        results += summarise(arguments.runs, arguments.benchmark, arguments.command, arguments.control)
        results_file.write_text(json.dumps(results, indent=2) + "\n")
    print(write(arguments.folder, results))


def write(folder: Path, results: list[dict[str, object]]) -> Path:
    """The card beside the config, with an image of the joints; converted weights have no recipe."""
    files = [folder / name for name in ("config.json", "preprocessor_config.json", "training.json")]
    config, processor, recipe = (json.loads(path.read_text()) if path.is_file() else None for path in files)
    facts, layout = motionhub.read_card_facts(folder), processor.get("layout") or config.get("layout")
    about = {"joints": ()}  # of models of images
    if layout:
        about = {"joints": motionhub.get_layout(layout).joints, "image": motionhub.draw_layout(layout, folder)}
    return motionhub.write_model_card(folder, config, processor, recipe, results, facts, **about)


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
