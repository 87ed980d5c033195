"""The base of every processor: fields checked by name, and one form of output."""

import difflib
import inspect
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from torch import Tensor
from transformers.feature_extraction_utils import BatchFeature, FeatureExtractionMixin

from motionhub.skeletons.layouts import check_carried_layout, with_current_layouts


# Keys of transformers itself in preprocessor_config.json.
FOREIGN_FIELDS = ("feature_extractor_type", "processor_class", "auto_map")


class FieldsProcessor(FeatureExtractionMixin):
    """A processor whose arguments are its fields, saved as `preprocessor_config.json`; other names are errors."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The fields, which are set by name."""

    FIELDS: ClassVar[tuple[str, ...]] = ()
    # Arguments of earlier versions, which the constructor still accepts.
    OLD_FIELDS: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        names = inspect.signature(cls.__init__).parameters
        cls.FIELDS = tuple(name for name in names if name not in ("self", "kwargs"))

    def __init__(self, **kwargs: Any) -> None:
        self._reject_unknown(name for name in kwargs if name not in FOREIGN_FIELDS)
        super().__init__(**{name: value for name, value in kwargs.items() if name == "auto_map"})

    def _set_fields(self, given: Mapping[str, Any]) -> None:
        """The constructor's arguments, its `locals()`, as fields; tuples and arrays become lists, as in JSON."""
        for name in self.FIELDS:
            value = given[name]
            setattr(self, name, list(value) if isinstance(value, tuple | np.ndarray) else value)

    @classmethod
    def from_dict(cls, feature_extractor_dict: dict[str, Any], **kwargs: Any) -> Any:
        """As in transformers; fields that the file lacks can be set too, and a misspelt one is an error."""
        if "layout" in cls.FIELDS and "layout" not in kwargs:
            check_carried_layout(feature_extractor_dict)
            feature_extractor_dict = with_current_layouts(feature_extractor_dict)
        known = (*cls.FIELDS, *cls.OLD_FIELDS)
        cls._reject_unknown(name for name in kwargs if name not in known and cls._near(name))
        changes = {name: kwargs.pop(name) for name in list(kwargs) if name in known}
        return super().from_dict({**feature_extractor_dict, **changes}, **kwargs)

    @classmethod
    def _near(cls, name: str) -> list[str]:
        return difflib.get_close_matches(name, (*cls.FIELDS, *cls.OLD_FIELDS), n=3, cutoff=0.7)

    @classmethod
    def _reject_unknown(cls, names: Any) -> None:
        for name in names:
            near = cls._near(name)
            hint = f"did you mean {' or '.join(near)}?" if near else f"the fields are {list(cls.FIELDS)}."
            raise ValueError(f"{cls.__name__} has no field {name!r}; {hint}")


class Renamed:
    """Mixed into the class of an old name: creating one warns and returns the next class, of the new name."""

    def __new__(cls, *arguments: Any, **kwargs: Any) -> Any:
        new = cls.__mro__[2]
        warnings.warn(f"{cls.__name__} is now {new.__name__}; use the new name.", FutureWarning, stacklevel=2)
        return new(*arguments, **kwargs)


def check_return_tensors(return_tensors: Any) -> None:
    """Raises a ValueError unless it is `"pt"`, `"np"` or None, which means `"pt"`."""
    if return_tensors not in ("pt", "np", None):
        raise ValueError(f'return_tensors must be "pt" or "np", got {return_tensors!r}.')


def as_feature(tensors: Mapping[str, Tensor], return_tensors: str | None) -> BatchFeature:
    """The output of a processor."""
    return BatchFeature({name: value.numpy() if return_tensors == "np" else value for name, value in tensors.items()})
