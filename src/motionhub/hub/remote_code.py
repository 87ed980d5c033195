"""What lets `AutoModel.from_pretrained(repository, trust_remote_code=True)` work before `import motionhub`.

A saved folder gets a complete `auto_map` (in config.json and the processor's file) and one file of code,
`motionhub_remote.py`, which only imports this library.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


MODULE = "motionhub_remote"
SHIM = '''"""The code of this model is the motionhub library; this file only tells transformers where it is."""

try:
    import motionhub.auto as _library
except ImportError as error:
    raise ImportError("This is a motionhub model. Install its code first: pip install motionhub") from error


def __getattr__(name):
    if hasattr(_library, name):
        return getattr(_library, name)
    raise AttributeError(f"This motionhub has no {name}: the model is newer. Run: pip install --upgrade motionhub")
'''


def carry_remote_code(written: Any, classes: Mapping[str, type], others: tuple[type, ...] = ()) -> None:
    """From now on `save_pretrained` and `push_to_hub` of a class also write the shim and this `auto_map`.

    `to_dict` leaves the `auto_map` out: it says where the code is, not what the config is.

    transformers marks every class that it loaded through an `auto_map` (`register_for_auto_class`), and a marked class
    copies its own source file into whatever folder it is saved to, which for a library of many files cannot be loaded
    again. Therefore that mark does nothing here.

    Args:
        written: a config, feature extractor or processor class: what writes the JSON file that holds the `auto_map`.
        classes: Auto class name -> class.
        others: classes that are saved beside it (models), whose mark must do nothing either.
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
        # Whatever was loaded and from where: only the table counts, also for the parts of a composed config.
        content = {**_without_auto_map(json.loads(path.read_text(encoding="utf-8"))), "auto_map": auto_map}
        path.write_text(json.dumps(dict(sorted(content.items())), indent=2) + "\n", encoding="utf-8")
        (path.parent / f"{MODULE}.py").write_text(SHIM, encoding="utf-8")

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
    """Instead of `register_for_auto_class`; see `carry_remote_code`."""
