"""What the families share: configs that refuse misspelt keys and impossible sizes, and the output of a head."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec
from transformers.models.auto.configuration_auto import AutoConfig
from transformers.utils import ModelOutput

from motionhub.skeletons.layouts import RENAMED, get_layout, layout_text, with_current_layouts


WHOLE_NUMBERS = (int, int | None, list[int], list[int] | None)


class MotionConfig(PreTrainedConfig):
    """A config that checks its values. A family states by class attributes what is checked.

    Attributes:
        may_be_zero: integers that are not sizes; all others, also in lists, are at least 1.
        default_lists: fields for which None (or an empty list) stands for this list.
    """

    may_be_zero: ClassVar[tuple[str, ...]] = ()
    default_lists: ClassVar[dict[str, list[Any]]] = {}

    def __post_init__(self, **kwargs: Any) -> None:
        fields = self.__dataclass_fields__
        for name in kwargs:  # transformers keeps unknown keys, so a misspelt one would silently do nothing
            near = get_close_matches(name, fields, n=1, cutoff=0.85)
            if near and name not in fields:
                raise ValueError(f"{type(self).__name__} has no field {name!r}; did you mean {near[0]!r}?")
        for name, values in self.default_lists.items():
            setattr(self, name, getattr(self, name) or list(values))
        if "layout" in fields and (layout := getattr(self, "layout", None)) in RENAMED:
            setattr(self, "layout", layout_text(get_layout(layout)))  # noqa: B010 (the bare name is an older layout)
        super().__post_init__(**kwargs)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """As in transformers; layouts that have another name now are renamed."""
        return super().from_dict(with_current_layouts(config_dict), **kwargs)

    def validate_all_sizes(self) -> None:
        ours = set(self.__dataclass_fields__) - {*PreTrainedConfig.__dataclass_fields__, *self.may_be_zero}
        numbers = {name: getattr(self, name) for name in ours if self.__dataclass_fields__[name].type in WHOLE_NUMBERS}
        wrong = {name: value for name, value in sorted(numbers.items()) if least_of(value) < 1}
        if wrong:
            raise ValueError(f"{type(self).__name__} expects sizes of at least 1, got {wrong}.")

    def validate_dropouts(self) -> None:
        for name in ("dropout", "classifier_dropout"):
            if not 0 <= getattr(self, name, 0) < 1:
                raise ValueError(f"{type(self).__name__} expects {name} in 0..1, below 1, got {getattr(self, name)}.")

    def validate_norms(self) -> None:
        eps, momentum = getattr(self, "norm_eps", 1e-5), getattr(self, "norm_momentum", 0.1)
        if not 0 <= momentum <= 1 or not eps > 0:
            raise ValueError(
                f"{type(self).__name__} expects norm_momentum in 0..1 and norm_eps above 0, got {momentum} and {eps}."
            )

    @property
    def num_classes(self) -> int:
        """`num_labels`, as the number that it is after construction."""
        return len(self.id2label or {})

    @property
    def norm_options(self) -> dict[str, Any]:
        """Of every batch norm."""
        return {"eps": float(self.norm_eps), "momentum": float(self.norm_momentum)}


def of_encoder(name: str, meaning: str) -> Any:
    """A property that is the encoder's, to read and to set."""

    def read(config: Any) -> Any:
        return getattr(config.encoder, name)

    def write(config: Any, value: Any) -> None:
        setattr(config.encoder, name, value)

    return property(read, write, doc=meaning)


@strict
class EncoderInsideConfig(MotionConfig):
    """A config around the config of an encoder; the input is the encoder's.

    Args:
        encoder_config: of any encoder of this library; None: the Posetics UNIK.
    """

    sub_configs_defaults = {"encoder_config": SubConfigSpec(config_class=AutoConfig, model_type="motionhub_unik")}

    encoder_config: dict | PreTrainedConfig | None = None

    @property
    def encoder(self) -> Any:
        """`encoder_config`, as the config that it is after construction."""
        assert isinstance(self.encoder_config, PreTrainedConfig)
        return self.encoder_config

    hidden_size = of_encoder("hidden_size", "Channels of the encoder's features.")
    frame_stride = of_encoder("frame_stride", "Input frames per frame of the features.")
    layout = of_encoder("layout", "Name of the skeleton layout the weights expect.")
    num_joints = of_encoder("num_joints", "Joints of the input.")
    in_channels = of_encoder("in_channels", "Coordinates of a joint.")
    num_people = of_encoder("num_people", "Person slots of the encoder.")


@dataclass
class HeadOutput(ModelOutput):
    """The output of a head; fields that a family lacks are None.

    Attributes:
        loss: with labels.
        logits: `(B, num_labels)` per clip or `(B, T, num_labels)` per frame.
        scores: `(B,)` of movement quality.
        pooler_output: `(B, hidden_size)` features of the clip.
        hidden_states, attentions, dependencies: the encoder's.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    scores: Tensor | None = None
    pooler_output: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    dependencies: tuple[Tensor, ...] | None = None


def least_of(value: Any) -> int:
    """The smallest of a list, or the number itself; none counts as 1."""
    return min(value, default=1) if isinstance(value, list) else 1 if value is None else int(value)
