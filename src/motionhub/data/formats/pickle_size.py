"""How much a pickle holds when everything that it shares is counted at each of its places; each is walked once.

A list may hold another twice, which holds a third twice, and so on: a few hundred bytes are then more numbers than any
machine counts to. Readers convert every reference, so the count is taken before they begin.
"""

import pickle
import pickletools
from collections.abc import Callable, Sequence
from typing import Any


# Numbers for each byte of the pickle; every number takes a byte there, unless it is shared.
_PER_BYTE, _FEW = 4, 2**22
# What converting one costs beside its content, in numbers.
_LIST, _DICT, _ARRAY = 12, 64, 256
_DEEPEST = 100
_EMPTY: dict[type, int] = {list: _LIST, tuple: _LIST, dict: _DICT}
_PLAIN = {int, float, bool, str, bytes, type(None)}
# The hash of a tuple walks all that it shares, and integers from here on may all have one hash.
_DEEPEST_KEY, _LARGE_NUMBER, _MOST_LARGE_NUMBERS = 16, 2**61 - 1, 10_000
_MEMO_WRITES = {"PUT", "BINPUT", "LONG_BINPUT"}
_MEMO_READS = {"GET", "BINGET", "LONG_BINGET"}
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
_COSTS = dict.fromkeys(("EMPTY_LIST", "LIST", "EMPTY_TUPLE", *_TUPLES), _LIST) | dict.fromkeys(
    ("EMPTY_DICT", "DICT"), _DICT
)


def check_operations(content: bytes) -> None:
    """Refuses, before anything is built, what the unpickler itself would not end with.

    Raises:
        UnpicklingError: a memo number above the count of operations (Python allocates that many places), many integers
            of one hash, tuples nested deeper than keys of dicts are, or more lists than `check_content` lets pass.
    """
    large, tuples, held = 0, 0, 0
    for count, (operation, argument, _) in enumerate(pickletools.genops(content)):
        name = operation.name
        if name in _MEMO_WRITES and int(argument or 0) > count + 1:
            raise pickle.UnpicklingError(f"memo number {argument} after {count} operations")
        tuples += name in _TUPLES
        held += _COSTS.get(name, 0)
        if type(argument) is int and not -_LARGE_NUMBER < argument < _LARGE_NUMBER:
            large += 1
    _check_count(held, len(content))
    if large > _MOST_LARGE_NUMBERS:
        raise pickle.UnpicklingError(f"it has {large} integers of more than 61 bits")
    if tuples > _DEEPEST_KEY:
        _check_tuples(content)


def _check_tuples(content: bytes) -> None:
    """Follows how deep the tuples on the unpickler's stack are nested; other objects count as 0."""
    stack: list[int] = []
    marks: list[int] = []
    memo: dict[int, int] = {}
    for operation, argument, _ in pickletools.genops(content):
        name = operation.name
        if name in _MEMO_WRITES or name == "MEMOIZE":
            memo[len(memo) if name == "MEMOIZE" else int(argument or 0)] = stack[-1] if stack else 0
            continue
        if name in _MEMO_READS:
            stack.append(memo.get(int(argument or 0), 0))
            continue
        if name == "MARK":
            marks.append(len(stack))
            continue
        if name in ("DUP", "POP"):
            if name == "DUP":
                stack += stack[-1:]
            else:
                del stack[-1:]
            continue
        if not operation.stack_before:
            stack += [0] * len(operation.stack_after)
            continue
        taken = _taken(operation, stack, marks)
        deep = 1 + max(taken, default=0) if name in _TUPLES else 0
        if deep > _DEEPEST_KEY:
            raise pickle.UnpicklingError(f"its tuples are nested more than {_DEEPEST_KEY} deep")
        stack.extend([deep] * len(operation.stack_after))


def _taken(operation: Any, stack: list[int], marks: list[int]) -> list[int]:
    """Removes from the stack what an operation takes."""
    before = operation.stack_before
    if pickletools.markobject not in before:
        start = len(stack) - len(before)
    else:
        below = before.index(pickletools.markobject)
        start = (marks.pop() if marks else 0) - below
    taken = stack[max(start, 0) :]
    del stack[max(start, 0) :]
    return taken


def check_keys(keys: Sequence[Any]) -> None:
    """Refuses keys whose hash takes for ever, or that are all of one hash. Raises UnpicklingError."""
    large = 0
    for key in keys:
        nested = isinstance(key, tuple | frozenset) and any(isinstance(part, tuple | frozenset) for part in key)
        large += isinstance(key, int) and not -_LARGE_NUMBER < key < _LARGE_NUMBER
        if nested or large > _MOST_LARGE_NUMBERS:
            what = "tuples of tuples" if nested else "integers of more than 61 bits"
            raise pickle.UnpicklingError(f"its keys are {what}")


def check_content(value: Any, size: int, parts_of: Callable[[Any], tuple[int, Sequence[Any]] | None]) -> None:
    """Refuses what holds itself, is nested too deeply, or is far more than a pickle of `size` bytes may be.

    Args:
        value: unpickled content.
        size: bytes of the pickle.
        parts_of: for an array or another object of the unpickler its numbers and parts, None for anything else.

    Raises:
        UnpicklingError: as above.
    """
    known: dict[int, tuple[int, int]] = {}  # numbers and depth
    opened: dict[int, tuple[int, list[Any]]] = {}
    pending = [value]
    while pending:
        item = pending[-1]
        found = None if id(item) in known else opened.get(id(item)) or _parts(item, parts_of)
        if found is None:
            pending.pop()
            continue
        count, inner = found
        if id(item) not in opened:
            new = []
            for part in inner:
                if id(part) in opened or part is item:
                    raise pickle.UnpicklingError("a list or dict holds itself")
                if type(part) in _EMPTY and not part:
                    known[id(part)] = (_EMPTY[type(part)], 1)
                elif id(part) not in known:
                    new.append(part)
            if new:
                opened[id(item)] = found
                pending += new
                continue
        opened.pop(id(item), None)
        pending.pop()
        depth = 1
        if inner:
            counts, depths = zip(*(known[id(part)] for part in inner), strict=True)
            count, depth = count + sum(counts), 1 + max(depths)
        if depth > _DEEPEST:
            raise pickle.UnpicklingError(f"a pickle of {size} bytes is nested {depth} deep; split the recording")
        _check_count(count, size)
        known[id(item)] = (count, depth)


def _check_count(count: int, size: int) -> None:
    if count > max(_FEW, _PER_BYTE * size):
        what = f"holds {count:.3g} numbers in its lists"
        raise pickle.UnpicklingError(f"a pickle of {size} bytes {what}; split the recording")


def _parts(item: Any, parts_of: Callable[[Any], tuple[int, Sequence[Any]] | None]) -> tuple[int, list[Any]] | None:
    """The numbers that an object holds itself, and the objects in it that hold more; None for one of neither."""
    if isinstance(item, list | tuple):
        count, values = _LIST + len(item), item
    elif isinstance(item, dict):
        count, values = _DICT + 2 * len(item), list(item.values())
    else:
        found = parts_of(item)
        if found is None:
            return None
        count, values = _ARRAY + found[0], list(found[1])
    others = [part for part in values if type(part) not in _PLAIN]
    return count, [part for part in others if isinstance(part, list | tuple | dict) or parts_of(part) is not None]
