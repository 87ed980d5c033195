"""Lists of clip names as datasets' authors publish them, such as NTU's clips with missing skeletons."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from motionhub.data.datasets.dataset import Dataset
from motionhub.data.datasets.raw_files import lists_to_leave_out, nothing_found
from motionhub.data.formats.files import bad_file, read_text


MAX_BYTES = 2**26


def read_clip_list(path: str | Path) -> frozenset[str]:
    """The names in a text file, one a line, without their extensions.

    Lines of several words are prose (NTU's lists begin with two of them) and are skipped, as are empty ones.

    Raises:
        ValueError: the file is absent or unreadable, too large for a list, or names nothing.
    """
    path = Path(path)
    lines = [line.split() for line in read_text(path, MAX_BYTES).splitlines()]
    names = frozenset(words[0].split(".")[0] for words in lines if len(words) == 1)
    if not names:
        raise bad_file(path, "content", "names no clip; expected one name a line, such as S001C002P005R002A008.")
    return names


def clips_among(
    facts: Dataset, root: Path, folder: Path, found: Sequence[Path], exclude: Sequence[Path]
) -> list[Path]:
    """The files that are clips and are not left out on purpose.

    Args:
        root: what the caller named, for messages.
        folder: where the files lie, and `found` in it.
        exclude: lists of clips, see `read_clip_list`.

    Raises:
        ValueError: no clip is left, or what `read_clip_list` raises.
    """
    left_out = frozenset().union(*map(read_clip_list, exclude))
    paths = [path for path in found if facts.is_clip is None or facts.is_clip(path)]
    if not paths:
        raise ValueError(nothing_found(facts, root, folder))
    paths = [path for path in paths if path.stem not in left_out]
    if not paths:
        raise ValueError(
            f"{root}: every file is left out by {' and '.join(map(str, exclude))}; give another data set's list."
        )
    return paths


def lists_to_heed(facts: Dataset, folder: Path, exclude: str | Path | None) -> list[Path]:
    """The caller's list of clips to leave out, else the authors' where they lie with the files, which a note says."""
    if exclude is not None or not facts.exclude_lists:
        return [] if exclude is None else [Path(exclude)]
    lists, call = lists_to_leave_out(facts, folder), "exclude=LIST"
    if lists:
        names = ", ".join(path.name for path in lists)
        what = f"the clips named in {names} are left out (found with the files); {call} is heeded instead"
    else:
        names = " or ".join(facts.exclude_lists)
        what = f"no {names} lies with the files: no clip is left out; {call} leaves out those that the list names"
    warnings.warn(f"{facts.name}: {what}", stacklevel=4)
    return lists
