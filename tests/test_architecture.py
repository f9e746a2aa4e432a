"""The shape of the house: who may import whom, where heavy libraries live, how long a module may grow."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import prescreen

ROOT = Path(prescreen.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
# Imports point down this list only; parts on one line do not know each other.
LAYERS = [
    {"errors", ""},
    {"config", "sizing"},
    {"work", "devices", "progress"},
    {"run"},
    {"custody"},
    {"clinic"},
    {"model", "store", "ehr"},
    {"intake"},
    {"data", "train", "evals", "records"},
    {"pipeline"},
    {"needs", "drafting"},
    {"doctor", "summary", "dossier", "release"},
    {"tracing"},
    {"monitor"},
    {"service"},
    {"simulation"},
    {"judging", "keeping", "storing"},
    {"releasing", "reporting", "serving", "watching"},
    {"cli"},
]
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
HEAVY = {"torch", "transformers", "peft", "accelerate", "trl"}
LONGEST = 250


def part_of(module: Path) -> str:
    """`train/packing.py` -> train, `run.py` -> run, `__init__.py` -> ''."""
    first = module.relative_to(ROOT).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imports_of(module: Path) -> Iterator[tuple[str, int]]:
    """Every imported module with its line, those inside functions too."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: write the import in full"
            assert node.module is not None
            if node.module == "prescreen":
                for alias in node.names:
                    yield f"prescreen.{alias.name}" if alias.name in RANK else "prescreen", node.lineno
            else:
                yield node.module, node.lineno


def test_every_part_has_a_layer() -> None:
    assert {part_of(module) for module in MODULES} <= set(RANK)


def test_imports_point_down() -> None:
    wrong = []
    for module in MODULES:
        own = part_of(module)
        for name, line in imports_of(module):
            top, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if top == "prescreen" and other != own and RANK[other] >= RANK[own]:
                wrong.append(f"{module.relative_to(ROOT)}:{line} imports {name}")
    assert wrong == []


@pytest.mark.parametrize(
    ("libraries", "homes"),
    [
        (HEAVY, {"model", "train"}),
        (
            {"typer", "click"},
            {"cli", "judging", "keeping", "serving", "releasing", "reporting", "storing", "watching"},
        ),
        ({"fastapi", "flask", "starlette"}, {"service"}),
        ({"sqlalchemy", "alembic"}, {"store"}),
    ],
)
def test_libraries_stay_at_home(libraries: set[str], homes: set[str]) -> None:
    astray = [
        f"{module.relative_to(ROOT)}:{line} imports {name}"
        for module in MODULES
        if part_of(module) not in homes
        for name, line in imports_of(module)
        if name.partition(".")[0] in libraries
    ]
    assert astray == []


@pytest.mark.parametrize("part", ["clinic", "data", "evals", "pipeline", "doctor"])
def test_part_imports_without_torch_or_terminal(part: str) -> None:
    names = [
        ".".join(("prescreen", *module.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for module in MODULES
        if part_of(module) == part
    ]
    program = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        f"print(sorted(({HEAVY!r} | {{'typer'}}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_prompt_renders_without_torch() -> None:
    program = "import sys, prescreen.model.prompt; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_modules_fit_in_the_head() -> None:
    lengths = {str(module.relative_to(ROOT)): len(module.read_text().splitlines()) for module in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_every_module_says_what_it_knows() -> None:
    silent = [
        str(module.relative_to(ROOT))
        for module in MODULES
        if module.read_text().strip() and not ast.get_docstring(ast.parse(module.read_text()))
    ]
    assert silent == []


def test_no_bare_except_and_no_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "helpers", "manager", "common", "misc"}
    assert [module.name for module in MODULES if module.stem in drawers] == []
    bare = [
        f"{module.relative_to(ROOT)}:{node.lineno}"
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert bare == []
