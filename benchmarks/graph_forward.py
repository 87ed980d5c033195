"""2s-AGCN and ST-GCN on one CPU thread against plain networks written subset by subset: ratios, forward or training.

    taskset -c 0 python benchmarks/graph_forward.py [--batch 8] [--repeats 7] [--setting 100x2 ...] [--train]

A setting is frames x people, of 25 joints in 3-D. The plain networks are those the tests compare with.
"""

import copy
import sys
from collections.abc import Callable
from pathlib import Path


sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conversion"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "models"))

import torch
from agcn import AGCN
from measuring import LABELS, command_line, fastest, machine, relative
from official_graph_models import PlainAgcn, PlainStGcn, agcn_graph, st_gcn_graph
from st_gcn import ST_GCN
from torch import Tensor, nn

from motionhub.models.agcn import AgcnConfig, AgcnForActionClassification
from motionhub.models.st_gcn import StGcnConfig, StGcnForActionClassification


SETTINGS = ["300x1", "100x2"]


def pair(family: str, people: int) -> tuple[nn.Module, nn.Module]:
    """The plain network and ours, with the same weights."""
    torch.manual_seed(0)
    names = {index: str(index) for index in range(LABELS)}
    if family == "2s-AGCN":
        plain: nn.Module = PlainAgcn(LABELS, people, 3, agcn_graph())
        ours: nn.Module = AgcnForActionClassification(AgcnConfig(num_people=people, id2label=names))
        weights = AGCN.convert_state_dict(plain.state_dict())
    else:
        plain = PlainStGcn(LABELS, 3, st_gcn_graph())
        ours = StGcnForActionClassification(StGcnConfig(num_people=people, id2label=names))
        weights = ST_GCN.convert_state_dict(plain.state_dict())
    ours.load_state_dict(weights, strict=False)  # 2s-AGCN's graph is in no official file
    return plain.eval(), ours.eval()


def forward_calls(family: str, clips: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Name -> a call that returns logits."""
    plain, ours = pair(family, clips.shape[1])
    official, fused = clips.permute(0, 4, 2, 3, 1), ours.fuse()
    half = copy.deepcopy(fused).bfloat16()
    return {
        "plain fp32": lambda: plain(official),
        "motionhub fp32": lambda: ours(clips).logits,
        "motionhub fused fp32": lambda: fused(clips).logits,
        "motionhub fused bf16": lambda: half(clips.bfloat16()).logits,
    }


def training_calls(family: str, clips: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Name -> a call that does forward and backward and returns the logits."""
    plain, ours = (module.train() for module in pair(family, clips.shape[1]))
    official = clips.permute(0, 4, 2, 3, 1)

    def step(compute: Callable[[], Tensor]) -> Tensor:
        logits = compute()
        logits.logsumexp(1).sum().backward()
        return logits.detach()

    return {
        "plain fp32, training": lambda: step(lambda: plain(official)),
        "motionhub fp32, training": lambda: step(lambda: ours(clips).logits),
    }


def report(family: str, setting: str, batch: int, repeats: int, training: bool) -> None:
    frames, people = (int(number) for number in setting.split("x"))
    clips = torch.randn(batch, people, frames, 25, 3)
    calls = (training_calls if training else forward_calls)(family, clips)
    with torch.set_grad_enabled(training):
        expected = next(iter(calls.values()))()
        seconds = fastest(calls, repeats)
        print(f"\n{family}, T={frames} V=25 C=3 people={people}, batch {batch}")
        print(f"{'':28}clips/s  x plain  rel. error")
        for name, call in calls.items():
            ratio = seconds[next(iter(calls))] / seconds[name]
            print(f"{name:28}{batch / seconds[name]:7.2f}{ratio:9.2f}{relative(call(), expected):12.1e}")


def main() -> None:
    parser = command_line(__doc__, 7, train="forward and backward instead of forward")
    parser.add_argument("--setting", nargs="+", default=SETTINGS, help="frames x people")
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    print(machine())
    for setting in options.setting:
        for family in ("2s-AGCN", "ST-GCN"):
            report(family, setting, options.batch, options.repeats, options.train)


if __name__ == "__main__":
    main()
