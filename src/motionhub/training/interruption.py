"""Ctrl-C and SIGTERM during training become a question the loop can ask between two updates; and which errors mean
that another process is gone. It knows nothing else.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch
from accelerate import Accelerator


# With several processes, agreeing to stop costs a message, so they do it only every so many updates.
AGREE_EVERY = 10


class StopRequest:
    """Inside `with StopRequest() as stop:` the first SIGINT or SIGTERM only asks to stop, the second interrupts."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():  # signal handlers can be set nowhere else
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def agreed(self, accelerator: Accelerator, step: int) -> bool:
        """True in all processes, at the same update, once one of them was asked to stop."""
        if accelerator.num_processes == 1:
            return self.asked
        if step % AGREE_EVERY:
            return False
        return bool(accelerator.gather(torch.tensor([int(self.asked)], device=accelerator.device)).any())


def connection_lost(error: RuntimeError) -> bool:
    """Whether an error says that another process of the run is gone, and not that this one went wrong."""
    # Gloo reports a closed connection as a plain RuntimeError that names its own source file.
    words = ("gloo", "nccl", "connection closed by peer", "connection reset by peer")
    return isinstance(error, torch.distributed.DistError) or any(word in str(error).lower() for word in words)
