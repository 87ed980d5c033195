"""Defers `motionhub.auto` until someone looks: at a model, a pipeline task, or a motionhub entry of an Auto class.

transformers keeps what users register in plain tables and imports them late itself: `AutoConfig` without any model,
`pipeline` with most of the library. Reading PyTorch, transformers' model code and every family at `import motionhub`
costs seconds, also for programs that only read keypoint files.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from motionhub.hub.packaged import answer_packaged_ids


OWN_PREFIX = "motionhub_"  # of every model_type of the library


def register_families(_: ModuleType | None = None) -> None:
    """Import THE table, which registers everything with transformers; a second call does nothing."""
    importlib.import_module("motionhub.auto")


class DeferredEntries(dict[Any, Any]):
    """What users registered in one of transformers' Auto tables: complete as soon as one of our entries is looked up.

    Models of others are found without importing ours.
    """

    def __contains__(self, key: object) -> bool:
        if isinstance(key, str) and key.startswith(OWN_PREFIX):
            register_families()
        return super().__contains__(key)

    def keys(self) -> Any:
        register_families()
        return super().keys()

    def values(self) -> Any:
        register_families()
        return super().values()

    def items(self) -> Any:
        register_families()
        return super().items()


def _defer(table: str, module: ModuleType) -> None:
    mapping = getattr(module, table)
    mapping._extra_content = DeferredEntries(mapping._extra_content)


# Module -> what happens as soon as it has been imported.
AFTER_IMPORT: dict[str, Callable[[ModuleType], None]] = {
    "transformers.utils.hub": lambda _: answer_packaged_ids(),
    # `AutoConfig`, and with it every Auto class that reads a config first.
    "transformers.models.auto.configuration_auto": partial(_defer, "CONFIG_MAPPING"),
    # `AutoFeatureExtractor` finds a class by the name in a folder, without its config.
    "transformers.models.auto.feature_extraction_auto": partial(_defer, "FEATURE_EXTRACTOR_MAPPING"),
    "transformers.pipelines": register_families,
    "motionhub.models": register_families,
    "motionhub.processing": register_families,
    "motionhub.pipelines": register_families,
}


class _AfterImport(MetaPathFinder):
    """Finds the modules of `AFTER_IMPORT` as Python does, and has their loaders call what follows."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in AFTER_IMPORT:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module
            spec.loader.exec_module = partial(_execute, execute, AFTER_IMPORT[fullname])  # type: ignore[method-assign]
        return spec


def _execute(execute: Callable[[ModuleType], None], follow: Callable[[ModuleType], None], module: ModuleType) -> None:
    execute(module)
    follow(module)


def watch_imports() -> None:
    """From now on the calls of `AFTER_IMPORT` follow their modules; at once where a module is there already."""
    sys.meta_path.insert(0, _AfterImport())
    for name, follow in AFTER_IMPORT.items():
        if name in sys.modules:
            follow(sys.modules[name])
