"""What mixed_precision="auto" means on a device, by processor, and that it is never bf16 where that is emulated."""

import os
import subprocess
import sys

import pytest
import torch

from motionhub.nn import precision
from motionhub.nn.precision import bf16_support, choose_precision


CPU = torch.device("cpu")
on_x86 = pytest.mark.skipif(
    precision.platform.machine().lower() not in ("x86_64", "amd64"), reason="not an x86-64 CPU"
)


def processor(monkeypatch, *, avx512_bf16=False, amx=False, onednn=True):
    """A CPU with these abilities, as PyTorch reports them."""
    monkeypatch.setattr(precision.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn, raising=False)
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_stated_is_taken_as_it_is(monkeypatch):
    processor(monkeypatch, onednn=False)
    assert choose_precision("bf16", CPU).name == "bf16" and choose_precision("no", CPU).name == "no"
    with pytest.raises(ValueError, match=r"mixed_precision must be one of .*'auto'.* got 'fp16'"):
        choose_precision("fp16", CPU)


@pytest.mark.parametrize(
    ("abilities", "name", "reason"),
    [
        ({"avx512_bf16": True}, "bf16", "AVX-512-BF16"),
        ({"amx": True}, "bf16", "AMX"),
        # AVX-512 without bf16: oneDNN takes bfloat16 and computes it by float32 instructions.
        ({"onednn": True}, "no", "no bf16 instructions"),
        ({"onednn": False}, "no", "no bf16 instructions"),
        ({"avx512_bf16": True, "onednn": False}, "no", "oneDNN"),
    ],
)
def test_auto_is_bf16_only_where_the_processor_has_instructions_for_it(monkeypatch, abilities, name, reason):
    processor(monkeypatch, **abilities)
    chosen = choose_precision("auto", CPU)
    assert chosen.name == name and reason in chosen.reason and reason in str(chosen)


@pytest.mark.parametrize("variable", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_a_limit_of_onednn_below_bf16_makes_auto_float32(monkeypatch, variable):
    processor(monkeypatch, avx512_bf16=True)
    monkeypatch.setenv(variable, "avx512_core")
    assert not bf16_support(CPU)[0] and variable in bf16_support(CPU)[1]
    monkeypatch.setenv(variable, "avx512_core_bf16")
    assert bf16_support(CPU)[0]


def test_an_arm_processor_is_asked_for_its_own_instructions(monkeypatch):
    processor(monkeypatch, avx512_bf16=True)
    monkeypatch.setattr(precision.platform, "machine", lambda: "aarch64")
    for has in (True, False):
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda has=has: has, raising=False)
        assert bf16_support(CPU)[0] is has


def _answer(answers, including_emulation):
    return answers[including_emulation]


def test_a_gpu_that_emulates_bf16_computes_in_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    for computes in (True, False):
        # Emulation counts as support unless it is asked to be left out.
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation, yes=computes: including_emulation or yes
        )
        assert bf16_support(torch.device("cuda"))[0] is computes
    assert choose_precision("auto", torch.device("mps")).name == "no"


@on_x86
@pytest.mark.parametrize("limit", ["SSE41", "AVX2"])
def test_this_machine_limited_to_older_instructions_computes_in_float32(limit):
    code = "import torch; from motionhub.nn.precision import choose_precision as choose; "
    code += "print(choose('auto', torch.device('cpu')).name)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": limit},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "no"


def test_autocast_computes_in_the_format_that_was_chosen():
    layer = torch.nn.Linear(4, 4)
    for name, dtype in (("bf16", torch.bfloat16), ("no", torch.float32)):
        with choose_precision(name, CPU).autocast(CPU):
            assert layer(torch.zeros(1, 4)).dtype is dtype
