"""`replaced` and `remaining` of two_node_training.py with forks of one process instead of torchrun: ten times as fast.

    sudo python benchmarks/two_nodes_forked.py FOLDER        # the FOLDER of two_node_training.py --only path

Each node is a process in its network namespace, and its worker a child of it; a third process holds the store that
launchers share. Processes meet over the virtual cable, train over gloo, and node and worker of the second one are
killed in the middle of the second epoch, as in two_node_training.py.
"""

import argparse
import ctypes
import json
import os
import shutil
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import two_node_training as nodes
from accelerate.state import AcceleratorState

import motionhub


NEW_NETWORK = 0x40000000  # CLONE_NEWNET


def enter(namespace: str) -> None:
    """Moves this process into a network namespace."""
    with open(f"/run/netns/{namespace}") as there:
        if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), NEW_NETWORK):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


def start(namespace: str, rank: int, world: int, order: dict[str, Any], port: int, output: Path) -> int:
    """A node with its worker; the number of its process."""
    if node := os.fork():
        return node
    enter(namespace)
    if worker := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) & 0xFF)
    there = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(there, 1)
    os.dup2(there, 2)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "WORLD_SIZE": str(world)}
    os.environ |= {"MASTER_ADDR": nodes.NODES[nodes.FIRST], "MASTER_PORT": str(port)}
    os.environ |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    os.environ["GLOO_SOCKET_IFNAME"] = "mh-b" if rank else "mh-a"
    AcceleratorState._reset_state(reset_partial_state=True)
    status = motionhub.handle_cli_errors(lambda: nodes.worker(order))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def hold_store(port: int) -> int:
    """The store of a run, on the first node."""
    if holder := os.fork():
        time.sleep(3)
        return holder
    enter(nodes.FIRST)
    address, patience = nodes.NODES[nodes.FIRST], timedelta(seconds=900)
    store = torch.distributed.TCPStore(address, port, None, True, patience, wait_for_workers=False)
    time.sleep(3000)
    del store
    os._exit(0)


def ended(*processes: int) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    for name in ("replaced", "remaining"):
        shutil.rmtree(folder / name, ignore_errors=True)
    with nodes.two_nodes():
        holders = [hold_store(port) for port in (29501, 29502, 29503)]  # one for each run
        order = nodes.order_of("replaced", folder, str(folder / "my dataset"), timeout=300) | {"kill": nodes.KILL}
        both = list(enumerate(nodes.NODES))
        started = [start(node, rank, 2, order, 29501, folder / f"killed-{rank}.txt") for rank, node in both]
        print(f"killed: {ended(*started)}, {nodes.own_lines((folder / 'killed-0.txt').read_text())}", flush=True)
        shutil.copytree(folder / "replaced", folder / "remaining")
        again = order | {"attempt": 1}
        alone = json.loads(json.dumps(again).replace(str(folder / "replaced"), str(folder / "remaining")))
        started = [
            start(node, rank, 2, again, 29502, folder / f"replaced-{rank}.txt")
            for rank, node in enumerate(nodes.NODES)
        ]
        started.append(start(nodes.FIRST, 0, 1, alone, 29503, folder / "remaining.txt"))
        print(f"again: {ended(*started)}", flush=True)
        for holder in holders:
            os.kill(holder, 9)
    for name in ("replaced", "remaining"):
        once, gap = nodes.every_clip_once(folder, name), nodes.difference(folder, name)
        same = nodes.equal(folder, name, "path")
        print(f"{name}: every clip once {once}, difference from one process {gap:.1e}, same bits as by path {same}")


if __name__ == "__main__":
    main()
