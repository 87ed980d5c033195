"""Which number format a device computes in hardware, and what `mixed_precision="auto"` therefore means on it."""

import contextlib
import os
import platform
from dataclasses import dataclass
from typing import Literal

import torch


PRECISIONS = ("auto", "bf16", "no")
# The environment's limit on the instructions that oneDNN uses, under its present and its former name.
ISA_VARIABLES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
# Limits of oneDNN at which it still takes bfloat16 but computes it by float32 instructions.
ISA_LIMITS_WITHOUT_BF16 = ("AVX512_CORE", "AVX512_CORE_VNNI")


@dataclass(frozen=True)
class Precision:
    """The number format of a run.

    Args:
        name: `"bf16"` (autocast to bfloat16) or `"no"` (float32), the values that Accelerate takes.
        reason: why, in a few words.
    """

    name: Literal["bf16", "no"]
    reason: str

    def __str__(self) -> str:
        return f"{'bfloat16' if self.name == 'bf16' else 'float32'} ({self.reason})"

    def autocast(self, device: torch.device) -> contextlib.AbstractContextManager[object]:
        """The context to compute in on `device`."""
        return torch.autocast(device.type, torch.bfloat16) if self.name == "bf16" else contextlib.nullcontext()


def choose_precision(requested: str, device: torch.device) -> Precision:
    """What `mixed_precision=requested` computes in on `device`.

    Args:
        requested: `"auto"` takes bfloat16 where the hardware computes it and float32 elsewhere; `"bf16"` and `"no"`
            are taken as they are.

    Raises:
        ValueError: `requested` is none of the three.

    Examples:
        >>> choose_precision("no", torch.device("cpu"))
        Precision(name='no', reason='as stated')
    """
    if requested == "auto":
        computes, reason = bf16_support(device)
        return Precision("bf16" if computes else "no", reason)
    if requested not in PRECISIONS:
        raise ValueError(f"mixed_precision must be one of {PRECISIONS}, got {requested!r}.")
    return Precision("bf16" if requested == "bf16" else "no", "as stated")


def bf16_support(device: torch.device) -> tuple[bool, str]:
    """Whether `device` computes bfloat16 in hardware, and the reason in a few words.

    A processor without such instructions emulates them: a (9, 1) convolution of 128 channels then takes twenty times
    the time of float32.
    """
    if device.type == "cpu":
        return _bf16_of_cpu()
    if device.type == "cuda":
        computes = torch.cuda.is_bf16_supported(including_emulation=False)
        return computes, f"{torch.cuda.get_device_name(device)} {'computes' if computes else 'emulates'} bf16"
    return False, f"bf16 on {device.type!r} devices was never measured"


def _bf16_of_cpu() -> tuple[bool, str]:
    if not torch.backends.mkldnn.is_available():
        return False, "this PyTorch has no oneDNN"
    if platform.machine().lower() in ("x86_64", "amd64"):
        if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
            return False, "this CPU has no bf16 instructions (AVX-512-BF16 or AMX)"
        variable = next((name for name in ISA_VARIABLES if os.environ.get(name)), "")
        limit = os.environ.get(variable, "")
        if limit.upper() in ISA_LIMITS_WITHOUT_BF16 or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            cause = f"{variable}={limit}" if limit else "oneDNN"
            return False, f"{cause} does not use this CPU's bf16 instructions"
        return True, f"this CPU has {'AMX' if torch.cpu._is_amx_tile_supported() else 'AVX-512-BF16'}"
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return True, "this CPU has bf16 instructions"
    return False, "this CPU has no bf16 instructions"
