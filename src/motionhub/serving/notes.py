"""Warnings of one request, which go into its answer. `warnings.catch_warnings` alone would mix those of threads."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


_NOTES: ContextVar[list[str] | None] = ContextVar("motionhub_notes", default=None)


@contextmanager
def warnings_by_request() -> Iterator[None]:
    """While a server runs: every warning goes to the list of its request, or is shown as before."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        shown = warnings.showwarning

        def show(message: Any, category: Any, *place: Any, **more: Any) -> None:
            notes = _NOTES.get()
            if notes is None or not issubclass(category, UserWarning):
                shown(message, category, *place, **more)
            elif (text := " ".join(str(message).split())) not in notes:
                notes.append(text)

        warnings.showwarning = show
        yield


@contextmanager
def collected_warnings(into: list[str] | None = None) -> Iterator[list[str]]:
    """The warnings of this thread, or task, meanwhile; `into`: a list that gets them."""
    notes: list[str] = [] if into is None else into
    token = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(token)
