"""After `import motionhub`, transformers' own classes find every family; a folder is all they need."""

import ast
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import printed_first
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor
from transformers.pipelines import PIPELINE_REGISTRY

import motionhub
from motionhub.auto import FAMILIES, PIPELINES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("unik")
    torch.manual_seed(0)
    config = motionhub.UnikConfig(channels=[8], strides=[1], num_heads=1, first_block_heads=1, num_labels=5)
    motionhub.UnikForActionClassification(config).save_pretrained(path)
    motionhub.SkeletonProcessor(num_frames=7, default_image_size=(640, 480)).save_pretrained(path)
    return path


def test_each_auto_class_gives_its_class(folder):
    assert type(AutoConfig.from_pretrained(folder)) is motionhub.UnikConfig
    assert type(AutoModel.from_pretrained(folder)) is motionhub.UnikModel
    heads = {
        motionhub.AutoModelForActionClassification: motionhub.UnikForActionClassification,
        motionhub.AutoModelForActionSegmentation: motionhub.UnikForActionSegmentation,
    }
    for auto, head in heads.items():
        assert type(auto.from_pretrained(folder)) is head
        assert type(auto.from_config(AutoConfig.from_pretrained(folder))) is head


def test_auto_processor_finds_the_skeleton_processor_with_its_fields(folder):
    for auto in (AutoProcessor, AutoFeatureExtractor):
        processor = auto.from_pretrained(folder)
        assert type(processor) is motionhub.SkeletonProcessor
        assert processor.num_frames == 7


def test_classifier_and_bare_encoder_hold_the_same_weights_and_buffers(folder):
    encoder = AutoModel.from_pretrained(folder)
    whole = motionhub.AutoModelForActionClassification.from_pretrained(folder)
    saved = {key: value for key, value in whole.state_dict().items() if key.startswith("encoder.")}
    for key, value in encoder.state_dict().items():
        torch.testing.assert_close(value, saved[f"encoder.{key}"], rtol=0, atol=0)


def test_every_family_and_pipeline_of_the_table_is_registered():
    for family in FAMILIES:
        assert type(AutoConfig.for_model(family.config.model_type)) is family.config
    assert set(PIPELINES) <= set(PIPELINE_REGISTRY.get_supported_tasks())


def test_wrong_model_type_names_the_config(folder):
    from transformers import BertConfig

    with pytest.raises(ValueError, match="BertConfig"):
        motionhub.AutoModelForActionClassification.from_config(BertConfig())


def test_public_names_are_those_that_type_checkers_see_each_from_one_home():
    source = ast.parse((Path(motionhub.__file__)).read_text(encoding="utf-8"))
    (block,) = [node for node in source.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    exported = [
        (alias.asname, line.module) for line in block.body for alias in line.names if alias.asname == alias.name
    ]
    assert sorted(exported) == sorted(motionhub._HOMES.items())
    assert sum(map(len, motionhub._NAMES_BY_HOME.values())) == len(motionhub._HOMES)
    assert motionhub.__all__ == ["__version__", *motionhub._HOMES]


def test_public_names_are_found_where_only_compiled_files_are(tmp_path):
    for path in sorted(Path(motionhub.__file__).parent.rglob("*")):
        copy = tmp_path / "motionhub" / path.relative_to(Path(motionhub.__file__).parent)
        if path.suffix == ".py":
            py_compile.compile(str(path), cfile=str(copy.with_suffix(".pyc")), doraise=True)
        elif path.is_file() and "__pycache__" not in path.parts:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import motionhub\n"
        "clip = motionhub.generate('wave', seed=0)\n"
        "print(motionhub.__file__, clip.num_frames, motionhub.UnikConfig.__name__)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(tmp_path / "motionhub" / "__init__.pyc"), "90", "UnikConfig"]


@pytest.mark.parametrize("name", motionhub.__all__)
def test_every_public_name_exists(name):
    assert getattr(motionhub, name) is not None
    assert name in dir(motionhub)


def test_an_earlier_name_warns_and_is_the_class_of_today():
    with pytest.warns(FutureWarning, match="motionhub.RetargetNetModel"):
        assert motionhub.RetargetNet is motionhub.RetargetNetModel
    assert motionhub.auto.RetargetNet is motionhub.RetargetNetModel  # as `auto_map` of saved checkpoints names it


@pytest.mark.parametrize(("old", "new"), [("agreement", "pose_agreement"), ("poses_at", "labelled_frames")])
def test_an_earlier_name_of_a_function_warns_and_is_the_one_of_today(old, new):
    with pytest.warns(FutureWarning, match=f"motionhub.{new}"):
        assert getattr(motionhub, old) is getattr(motionhub, new)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Unikk'"):
        motionhub.Unikk  # noqa: B018


def test_plain_transformers_finds_the_model_in_a_fresh_process(folder):
    code = (
        f"import motionhub; from transformers import AutoModel, pipeline; AutoModel.from_pretrained({str(folder)!r}); "
        f"print(type(pipeline('action-classification', model={str(folder)!r})).__name__)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "ActionClassificationPipeline"


# transformers asks on standard output whether to trust a repository's code before AutoProcessor tries our class.
TRUST = "Do you wish to run the custom code? [y/N] "


# Each in a process of its own: what one looks up first must be enough to find it.
FIRST_LOOKS = {
    "config": (
        "from transformers import AutoConfig as A; print(type(A.from_pretrained({folder})).__name__)",
        "UnikConfig",
    ),
    "model": (
        "from transformers import AutoModel as A; print(type(A.from_pretrained({folder})).__name__)",
        "UnikModel",
    ),
    "extractor": (
        "from transformers import AutoFeatureExtractor as A; print(type(A.from_pretrained({folder})).__name__)",
        "SkeletonProcessor",
    ),
    "processor": (
        "from transformers import AutoProcessor as A; print(type(A.from_pretrained({folder})).__name__)",
        "SkeletonProcessor",
    ),
    "tasks": (
        "from transformers.pipelines import get_supported_tasks; print('movement-quality' in get_supported_tasks())",
        "True",
    ),
    "model class": (
        "from motionhub.models.unik import UnikConfig; from transformers import AutoModel; "
        "print(type(AutoModel.from_config(UnikConfig(channels=[8], strides=[1]))).__name__)",
        "UnikModel",
    ),
}


@pytest.mark.parametrize("imports", ["import motionhub", "import transformers.pipelines, motionhub"])
def test_whatever_is_looked_for_first_is_found(folder, imports):
    looks = [look.format(folder=repr(str(folder))) for look, _ in FIRST_LOOKS.values()]
    printed = [lines[-1].removeprefix(TRUST) for lines in printed_first(imports, looks)]
    assert dict(zip(FIRST_LOOKS, printed, strict=True)) == {name: found for name, (_, found) in FIRST_LOOKS.items()}


def test_models_of_others_are_found_without_importing_ours():
    look = (
        "from transformers import AutoConfig; "
        "print(type(AutoConfig.for_model('bert')).__name__, 'motionhub.auto' in sys.modules)"
    )
    assert printed_first("import motionhub", [look]) == [["BertConfig False"]]


def test_a_processor_without_a_config_beside_it_is_found_first(folder, tmp_path):
    (tmp_path / "preprocessor_config.json").write_bytes((folder / "preprocessor_config.json").read_bytes())
    look = "from transformers import AutoFeatureExtractor as A; print(type(A.from_pretrained('.')).__name__)"
    assert printed_first("import motionhub", [look], cwd=tmp_path)[0][-1].removeprefix(TRUST) == "SkeletonProcessor"
