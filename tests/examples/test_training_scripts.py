"""The scripts that train are short, and import public names only."""

import ast
from pathlib import Path

import pytest


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(
    [*EXAMPLES.glob("pretrain_*.py"), *EXAMPLES.glob("finetune_*.py")]
    + [EXAMPLES / name for name in ("distill.py", "distill_zero_shot.py", "linear_baseline.py", "single_shot.py")]
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_that_trains_is_short_and_imports_public_names_only(script: Path) -> None:
    source = script.read_text(encoding="utf-8")
    imported = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = [getattr(node, "module", None) or node.names[0].name for node in imported]
    assert len(source.splitlines()) < 80
    assert not [module for module in modules if module.startswith("motionhub.")]
