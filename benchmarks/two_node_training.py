r"""Training on two machines, each a network namespace of this one: equal to one process, by path and by web address.

    sudo python benchmarks/two_node_training.py FOLDER [--only LAUNCH ...] [--json FILE]

A veth pair joins the namespaces; `torchrun` on each starts one process, over gloo. A model without batch norm is
trained for two epochs on 96 made clips in two shards. The runs:

    path       both read the shards from the disk                 -> weights of one process, every clip once an epoch
    address    both read them from a web server on the first node -> the same weights, bit for bit
    replaced   the second node is killed in the middle of the second epoch; both start again  -> the same weights
    remaining  the same, but the first node goes on alone                                     -> up to rounding
    elastic    `--nnodes 1:2 --max-restarts 2`: killed, the first node goes on by itself      -> up to rounding
    cut        the link is cut: the run ends after `--timeout` seconds, and does not hang

Needs root, for `ip netns`. Nothing leaves the machine.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


HERE = Path(__file__).resolve().parent
FIRST, SECOND = f"motionhub-{os.getpid()}-a", f"motionhub-{os.getpid()}-b"
NODES = {FIRST: "10.77.0.1", SECOND: "10.77.0.2"}
CLIPS, BATCH, EPOCHS, KILL = 96, 8, 2, 18
LAUNCHES = ("path", "address", "replaced", "remaining", "elastic", "cut")


@contextmanager
def two_nodes() -> Iterator[None]:
    """Two network namespaces, joined by a veth pair; removed afterwards."""
    try:
        for name in NODES:
            _run("ip", "netns", "add", name)
        _run("ip", "link", "add", "mh-a", "netns", FIRST, "type", "veth", "peer", "name", "mh-b", "netns", SECOND)
        for link, (name, address) in zip(("mh-a", "mh-b"), NODES.items(), strict=True):
            _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", link)
            _run("ip", "-n", name, "link", "set", link, "up")
            _run("ip", "-n", name, "link", "set", "lo", "up")
        yield
    finally:
        _remove()


def _remove() -> None:
    for name in NODES:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr.strip()} (this needs root and iproute2)")


def start(node: str, order: dict[str, Any], nodes: str = "2", restarts: int = 0) -> subprocess.Popen[str]:
    """`torchrun` on one node."""
    first, link = NODES[FIRST], "mh-a" if node == FIRST else "mh-b"
    words = ["ip", "netns", "exec", node, sys.executable, "-m", "torch.distributed.run", "--nnodes", nodes]
    words += ["--nproc-per-node", "1", "--max-restarts", str(restarts), "--rdzv-id", order["name"]]
    words += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{first}:29400", "--local-addr", NODES[node]]
    words += ["--rdzv-conf", "is_host=" + str(int(node == FIRST)) + ",last_call_timeout=5"]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": link, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*words, str(HERE / Path(__file__).name), "worker", json.dumps(order)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(*processes: subprocess.Popen[str]) -> list[tuple[int, str]]:
    """Status and output of each."""
    return [(process.wait(), text) for process in processes for text in [process.communicate()[0]]]


def own_lines(text: str) -> list[str]:
    """What motionhub says about the end of a run; the rest is the launcher's."""
    return [line for line in text.splitlines() if line.startswith("motionhub: ") and "mode " not in line]


def worker(order: dict[str, Any]) -> None:
    """One process of a run."""
    import numpy as np
    import torch
    from node_model import MeanPoseForClassification, processor

    from motionhub.processing.collate import collate_skeletons
    from motionhub.training.arguments import TrainingRecipe
    from motionhub.training.dataset import ClipDataset
    from motionhub.training.objective import Supervised
    from motionhub.training.streaming import ShardedRows
    from motionhub.training.trainer import train

    rank, folder, recipe = int(os.environ.get("RANK", "0")), Path(order["report"]), TrainingRecipe(**order["recipe"])
    attempt = f"{order['attempt']}{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    state = Path(recipe.output_dir) / "last" / "state" / "progress.json"
    done = json.loads(state.read_text())["progress"]["step"] if state.is_file() else 0
    taken = (folder / f"taken-{attempt}-{rank}.jsonl").open("w", buffering=1)
    original = ClipDataset.__getitem__

    def with_row(self: ClipDataset, index: int) -> dict[str, torch.Tensor]:
        return {**original(self, index), "row": torch.tensor(index)}

    def collate(items: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        rows = torch.stack([item["row"] for item in items])
        inputs = [{name: value for name, value in item.items() if name != "row"} for item in items]
        return {**collate_skeletons(inputs), "rows": rows}

    class Noting(Supervised):
        """Notes the clips of every update. In one of them the machine of process 1 is gone, or its link is cut."""

        updates = done

        def __call__(self, model: torch.nn.Module, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
            self.rows = batch.pop("rows").tolist()
            return super().__call__(model, batch)

        def after_update(self, model: torch.nn.Module) -> None:
            self.updates += 1
            taken.write(json.dumps([self.updates, self.rows]) + "\n")
            if rank == 1 and self.updates == order.get("kill") and attempt == "00":
                if order["name"] == "cut":
                    subprocess.run(["ip", "link", "set", "mh-b", "down"], check=True)
                    time.sleep(60)
                os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)

    ClipDataset.__getitem__ = with_row  # type: ignore[method-assign]
    rows = ShardedRows.from_saved(order["dataset"])
    model = MeanPoseForClassification.with_classes(rows.features["label"].names)
    result = train(model, processor(), rows, None, recipe, objective=Noting(), collate=collate)
    np.savez(folder / f"weights-{rank}.npz", **{name: value.numpy() for name, value in model.state_dict().items()})
    (folder / f"end-{rank}.json").write_text(json.dumps({"steps": result.steps}))


def order_of(name: str, folder: Path, dataset: str, **more: Any) -> dict[str, Any]:
    recipe = {"output_dir": str(folder / name / "run"), "epochs": EPOCHS, "batch_size": BATCH, "cpu": True}
    recipe |= {"learning_rate": 0.05, "milestones": [], "mixed_precision": "no", "checkpoint_updates": 4}
    recipe |= {"progress_bar": False, "mode": "scratch", "timeout": more.pop("timeout", 120), "seed": 1}
    (folder / name).mkdir(parents=True, exist_ok=True)
    return {"name": name, "dataset": dataset, "report": str(folder / name), "recipe": recipe, "attempt": 0, **more}


def alone(folder: Path, dataset: str) -> None:
    """The same training by one process."""
    order = order_of("alone", folder, dataset)
    subprocess.run([sys.executable, __file__, "worker", json.dumps(order)], check=True)


def difference(folder: Path, name: str) -> float:
    """The largest difference of a weight from those of one process, as a share of the largest weight."""
    import numpy as np

    with np.load(folder / name / "weights-0.npz") as found, np.load(folder / "alone" / "weights-0.npz") as expected:
        return max(float(abs(found[key] - expected[key]).max() / abs(expected[key]).max()) for key in expected)


def equal(folder: Path, name: str, other: str) -> bool:
    """Whether two runs ended with the same bits."""
    import numpy as np

    with np.load(folder / name / "weights-0.npz") as one, np.load(folder / other / "weights-0.npz") as two:
        return all(np.array_equal(one[key], two[key]) for key in one)


def every_clip_once(folder: Path, name: str) -> bool:
    """Whether each epoch had each clip once, over all processes; of updates done twice the later ones count."""
    taken: dict[int, dict[str, list[int]]] = {}
    for path in sorted((folder / name).glob("taken-*.jsonl")):
        _, attempt, _ = path.stem.split("-")
        for line in path.read_text().splitlines():
            update, rows = json.loads(line)
            taken.setdefault(update, {}).setdefault(attempt, []).extend(rows)
    last = [attempts[max(attempts)] for _, attempts in sorted(taken.items())]
    per_epoch = CLIPS // BATCH
    epochs = [sum(last[begin : begin + per_epoch], []) for begin in range(0, len(last), per_epoch)]
    return len(epochs) == EPOCHS and all(sorted(clips) == list(range(CLIPS)) for clips in epochs)


def launch(name: str, folder: Path, path: str, address: str) -> dict[str, Any]:
    """One of `LAUNCHES`, and what came out."""
    begin = time.perf_counter()
    order = order_of(name, folder, address if name == "address" else path)
    found: dict[str, Any] = {}
    if name in ("replaced", "remaining", "elastic", "cut"):
        order["kill"] = KILL
        order["recipe"]["timeout"] = 20 if name == "cut" else 120
        nodes, restarts = ("1:2", 2) if name == "elastic" else ("2", 0)
        ended = finish(*(start(node, order, nodes, restarts) for node in NODES))
        found["first node"] = {"status": ended[0][0], "says": own_lines(ended[0][1])}
        found["first node"]["output"] = ended[0][1][-3000:]
    again = {**order, "attempt": 1}
    if name in ("path", "address"):
        ended = finish(*(start(node, order) for node in NODES))
        found["status"], found["output"] = [status for status, _ in ended], ended[0][1][-3000:]
    elif name == "replaced":
        ended = finish(*(start(node, again) for node in NODES))
        found["status"], found["output"] = [status for status, _ in ended], ended[0][1][-3000:]
    elif name == "remaining":
        ended = finish(start(FIRST, again, nodes="1"))
        found["status"], found["output"] = [ended[0][0]], ended[0][1][-3000:]
    if (folder / name / "weights-0.npz").exists():
        found["every clip once an epoch"] = every_clip_once(folder, name)
        found["largest difference from one process"] = difference(folder, name)
        if name in ("address", "replaced") and (folder / "path" / "weights-0.npz").exists():
            found["same bits as by path"] = equal(folder, name, "path")
    found["seconds"] = round(time.perf_counter() - begin, 1)
    return found


def main() -> None:
    if sys.argv[1:2] == ["worker"]:
        import motionhub

        raise SystemExit(motionhub.handle_cli_errors(lambda: worker(json.loads(sys.argv[2]))))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=LAUNCHES, default=LAUNCHES)
    parser.add_argument("--json", type=Path, help="file for all that was found")
    parser.add_argument("--again", action="store_true", help="go on in FOLDER with what an earlier call left there")
    options = parser.parse_args()
    from reading import write_groups

    folder = options.folder.resolve()
    if folder.is_dir() and any(folder.iterdir()) and not options.again:
        raise SystemExit(f"{folder} is not empty: name a new folder, or pass --again")
    data = folder / "my dataset"  # a name with a space
    # 96 clips in two shards of several row groups
    files = write_groups(data, CLIPS, 16, 4, group_bytes=2**14, shard_bytes=2**17)
    print(f"{CLIPS} clips in {len(files)} shards; {EPOCHS} epochs of {CLIPS // BATCH} updates of {BATCH} clips")
    if not (folder / "alone" / "weights-0.npz").exists():
        alone(folder, str(data))
    report = {}
    with two_nodes():
        words = ["ip", "netns", "exec", FIRST, sys.executable, str(HERE / "range_server.py")]
        server = subprocess.Popen([*words, str(folder), "--host", NODES[FIRST]], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        address = f"{server.stdout.readline().strip()}/my%20dataset"
        try:
            for name in options.only:
                report[name] = launch(name, folder, str(data), address)
                shown = {key: value for key, value in report[name].items() if key != "output"}
                print(f"{name}: {json.dumps(shown)}", flush=True)
                if name == "cut":
                    _run("ip", "-n", SECOND, "link", "set", "mh-b", "up")
        finally:
            server.terminate()
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
