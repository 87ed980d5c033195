"""Makes `AutoModel.from_pretrained(repository, trust_remote_code=True)` work without `import motionhub`.

A saved folder gets a complete `auto_map` (in config.json and the processor's file) and one file of code,
`motionhub_remote.py`, which imports this library.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


MODULE = "motionhub_remote"
SHIM = Path(__file__).with_name("templates") / f"{MODULE}.py.txt"


def carry_remote_code(written: Any, classes: Mapping[str, type], others: tuple[type, ...] = ()) -> None:
    """From now on `save_pretrained` and `push_to_hub` of a class also write the shim and this `auto_map`.

    `to_dict` omits the `auto_map`, which is no part of the config. `register_for_auto_class`, which transformers calls
    on every class loaded through an `auto_map`, does nothing: it would copy the class's own source file into the saved
    folder, and one file of a library of many cannot be loaded.

    Args:
        written: the config, feature extractor or processor class that writes the JSON file with the `auto_map`.
        classes: Auto class name -> class.
        others: classes that are saved beside it (models), whose `register_for_auto_class` must do nothing either.
    """
    if "to_json_file" not in vars(written) or not hasattr(written.to_json_file, "auto_map"):
        written.to_json_file = _writer(written.to_json_file)
        written.to_dict = _cleaned(written.to_dict)
    known = written.to_json_file.auto_map
    known.update({name: f"{MODULE}.{each.__name__}" for name, each in classes.items()})
    for each in (written, *others):
        each.register_for_auto_class = classmethod(_not_marked)


def _writer(original: Callable[..., None]) -> Callable[..., None]:
    auto_map: dict[str, str] = {}

    def to_json_file(self: Any, json_file_path: str | os.PathLike[str], *arguments: Any, **options: Any) -> None:
        original(self, json_file_path, *arguments, **options)
        path = Path(json_file_path)
        # Replaces any loaded `auto_map`, also in the parts of a composed config.
        content = {**_without_auto_map(json.loads(path.read_text(encoding="utf-8"))), "auto_map": auto_map}
        path.write_text(json.dumps(dict(sorted(content.items())), indent=2) + "\n", encoding="utf-8")
        shutil.copyfile(SHIM, path.parent / f"{MODULE}.py")

    to_json_file.auto_map = auto_map  # type: ignore[attr-defined]
    return to_json_file


def _cleaned(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def to_dict(self: Any) -> dict[str, Any]:
        return dict(_without_auto_map(original(self)))

    return to_dict


def _without_auto_map(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_auto_map(entry) for key, entry in value.items() if key != "auto_map"}
    return [_without_auto_map(entry) for entry in value] if isinstance(value, list) else value


def _not_marked(cls: type, auto_class: Any = None) -> None:
    """Replaces `register_for_auto_class`; see `carry_remote_code`."""
