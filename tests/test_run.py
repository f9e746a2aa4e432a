"""Run folders and the executor: what is finished, what still stands, and what happens when the power goes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from prescreen.errors import RecipeError, RunError
from prescreen.pipeline import check_inputs, load_steps, lock_folder, open_run, run_steps
from prescreen.run import MANIFEST, Run, hash_code, read_jsonl, write_atomic, write_lines
from small_stages import CopyRecipe, MakeRecipe


def finished(folder: Path, recipe: MakeRecipe | None = None) -> Run:
    run = Run(folder, recipe or MakeRecipe(stage="make"), code="1")
    run.start()
    output = folder / "model" / "text.txt"
    output.parent.mkdir()
    output.write_text("hello")
    run.finish([folder / "model"], {"characters": 5})
    return run


def execute(path: Path, runs: Path, stages: dict[str, str], **overrides: str) -> dict[str, bool]:
    """Run a folder; return which steps were skipped."""
    outcomes = run_steps(load_steps(path, stages, overrides), runs, stages)
    return {outcome.run.name: outcome.skipped for outcome in outcomes}


def test_manifest_lists_every_output_with_its_hash(tmp_path: Path) -> None:
    run = finished(tmp_path / "r")
    hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert run.manifest["outputs"] == {"model/text.txt": hello}
    assert run.metrics == {"characters": 5}
    assert run.is_current()


def test_unfinished_run_has_no_manifest_and_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path / "r", MakeRecipe(stage="make"))
    run.start()
    assert not run.is_current()
    with pytest.raises(RunError, match="not finished"):
        _ = run.manifest


def test_manifest_is_written_after_every_output_and_hashes_a_missing_one_never(tmp_path: Path) -> None:
    run = Run(tmp_path / "r", MakeRecipe(stage="make"))
    run.start()
    run.finish([tmp_path / "r" / "recipe.yaml"], {})
    assert (tmp_path / "r" / MANIFEST).stat().st_mtime_ns >= (tmp_path / "r" / "recipe.yaml").stat().st_mtime_ns
    assert [path.name for path in (tmp_path / "r").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("change", ["delete", "edit"])
def test_changed_output_makes_a_run_stale(tmp_path: Path, change: str) -> None:
    run = finished(tmp_path / "r")
    output = run.folder / "model" / "text.txt"
    if change == "delete":
        output.unlink()
    else:
        output.write_text("jello")
    assert run.damage() == ["model/text.txt"]
    assert not run.is_current()


def test_changed_recipe_code_or_input_makes_a_run_stale(tmp_path: Path) -> None:
    parent = finished(tmp_path / "p")
    child = Run(tmp_path / "c", CopyRecipe(stage="copy"), {"source": parent}, code="1")
    child.start()
    child.finish([], {})
    assert child.is_current()
    assert not Run(child.folder, CopyRecipe(stage="copy", times=2), child.inputs, code="1").is_current()
    assert not Run(child.folder, child.recipe, child.inputs, code="2").is_current()
    (parent.folder / "model" / "text.txt").write_text("other")
    parent.finish([parent.folder / "model"], {})
    assert not child.is_current()


def test_changed_outside_file_makes_a_run_stale_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "records.csv"
    source.write_text("a")
    run = finished(tmp_path / "r", MakeRecipe(stage="make", source=str(source)))
    assert run.is_current()
    source.write_text("b")
    assert not run.is_current()
    source.unlink()
    with pytest.raises(RunError, match=r"records\.csv: the recipe reads this"):
        run.is_current()


def test_start_keeps_leftovers_of_the_same_work_and_clears_those_of_another(tmp_path: Path) -> None:
    run = Run(tmp_path / "r", MakeRecipe(stage="make"))
    run.start()
    checkpoint = run.folder / "checkpoint-10"
    checkpoint.mkdir()
    run.start()
    assert checkpoint.exists()
    Run(run.folder, MakeRecipe(stage="make", text="other")).start()
    assert not checkpoint.exists()


def test_start_clears_a_finished_run_that_was_tampered_with(tmp_path: Path) -> None:
    run = finished(tmp_path / "r")
    (run.folder / "model" / "text.txt").write_text("jello")
    run.start()
    assert not (run.folder / "model").exists()


def test_run_folders_can_be_moved(tmp_path: Path, small: Path, stages: dict[str, str]) -> None:
    execute(small, tmp_path / "runs", stages)
    shutil.move(tmp_path / "runs", tmp_path / "archive")
    run = open_run(tmp_path / "archive" / "02-copy", stages)
    assert run.is_current()
    assert run.inputs["source"].metrics["characters"] == 5


@pytest.mark.parametrize("file", ["text.txt", "lines.jsonl"])
def test_failed_write_leaves_the_old_file_and_no_partial(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.write_text('{"old": 1}\n')
    with pytest.raises((UnicodeEncodeError, RuntimeError)):
        if file == "text.txt":
            write_atomic(path, "\ud800")
        else:
            with write_lines(path) as handle:
                handle.write("half")
                raise RuntimeError
    assert list(read_jsonl(path)) == [{"old": 1}]
    assert [p.name for p in tmp_path.iterdir()] == [file]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".manifest.json.partial").symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"No space left.*run again"):
        write_atomic(tmp_path / "manifest.json", "x")
    assert not (tmp_path / "manifest.json").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from prescreen.config import Recipe
from prescreen.run import Run, write_lines
run = Run(Path(sys.argv[1]), Recipe(stage="x"))
run.start()
with write_lines(run.folder / "rows.jsonl") as handle:
    handle.write("{}\\n")
    handle.flush()
    if sys.argv[2] == "within":
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("moment", "rows"), [("within", False), ("after", True)])
def test_kill_leaves_no_manifest_and_no_half_output(tmp_path: Path, moment: str, rows: bool) -> None:
    folder = tmp_path / "r"
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), moment], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (folder / MANIFEST).exists()
    assert (folder / "rows.jsonl").exists() is rows


def test_code_hash_follows_what_a_stage_can_reach(tmp_path: Path) -> None:
    plugin = tmp_path / "stage.py"
    plugin.write_text("a = 1")
    before = hash_code(str(plugin))
    plugin.write_text("a = 2")
    assert hash_code(str(plugin)) != before
    assert hash_code("train") != hash_code("data")


def test_folder_runs_in_order_then_skips(tmp_path: Path, small: Path, stages: dict[str, str]) -> None:
    runs = tmp_path / "runs"
    assert execute(small, runs, stages) == {"01-make": False, "02-copy": False}
    assert (runs / "02-copy" / "text.txt").read_text() == "hellohello"
    assert execute(small, runs, stages) == {"01-make": True, "02-copy": True}


def test_change_reruns_only_what_depends_on_it(tmp_path: Path, small: Path, stages: dict[str, str]) -> None:
    runs = tmp_path / "runs"
    execute(small, runs, stages)
    assert execute(small, runs, stages, times="3") == {"01-make": True, "02-copy": False}
    assert execute(small, runs, stages, text="bye", times="3") == {"01-make": False, "02-copy": False}
    assert (runs / "02-copy" / "text.txt").read_text() == "byebyebye"


def test_equal_outputs_spare_the_children(tmp_path: Path, small: Path, stages: dict[str, str]) -> None:
    """A parent that ran again with the same bytes does not make its children run again."""
    runs = tmp_path / "runs"
    execute(small, runs, stages)
    (runs / "01-make" / MANIFEST).unlink()
    assert execute(small, runs, stages) == {"01-make": False, "02-copy": True}


@pytest.mark.parametrize(
    ("key", "texts"),
    [("seed", [7, 7]), ("make.seed", [7, 0]), ("02-copy.seed", [0, 7]), ("copy.seed", [0, 7])],
)
def test_override_reaches_the_recipes_that_have_the_key(
    small: Path, stages: dict[str, str], key: str, texts: list[int]
) -> None:
    assert [step.recipe.seed for step in load_steps(small, stages, {key: "7"})] == texts


@pytest.mark.parametrize("key", ["lr", "make.times", "seed.x", "03-gone.seed", ""])
def test_override_nobody_has_is_an_error(small: Path, stages: dict[str, str], key: str) -> None:
    with pytest.raises(RecipeError, match=r"no recipe in .* has this key"):
        load_steps(small, stages, {key: "1"})


def test_free_mapping_takes_dotted_overrides(small: Path, stages: dict[str, str]) -> None:
    step = load_steps(small, stages, {"loss.alpha": "0.5"})[1]
    assert isinstance(step.recipe, CopyRecipe)
    assert step.recipe.loss == {"alpha": 0.5}


def test_input_must_be_an_earlier_recipe(write_recipes, stages: dict[str, str]) -> None:
    folder = write_recipes(
        {"01-make": {"stage": "make"}, "02-copy": {"stage": "copy", "inputs": {"source": "01-mk"}}}
    )
    with pytest.raises(RunError, match=r"'01-mk', which is no earlier recipe.*choose from 01-make"):
        check_inputs(load_steps(folder, stages), folder)


def test_single_recipe_needs_its_parent_finished(tmp_path: Path, small: Path, stages: dict[str, str]) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(RunError, match="01-make: no such run"):
        execute(small / "02-copy.yaml", runs, stages)
    execute(small / "01-make.yaml", runs, stages)
    assert execute(small / "02-copy.yaml", runs, stages) == {"02-copy": False}
    (runs / "01-make" / MANIFEST).unlink()
    with pytest.raises(RunError, match="01-make: this run is not finished"):
        execute(small / "02-copy.yaml", runs, stages)


def test_nothing_is_made_of_a_parent_that_changed(tmp_path: Path, small: Path, stages: dict[str, str]) -> None:
    execute(small, tmp_path / "runs", stages)
    parent = tmp_path / "runs" / "01-make"
    changed = next(parent / name for name in json.loads((parent / MANIFEST).read_text())["outputs"])
    changed.write_text("another")
    with pytest.raises(RunError, match=f"01-make: changed since it was written: {changed.relative_to(parent)}"):
        execute(small / "02-copy.yaml", tmp_path / "runs", stages)


def test_interrupted_stage_finds_its_own_leftovers(tmp_path: Path, write_recipes, stages: dict[str, str]) -> None:
    folder = write_recipes({"01-make": {"stage": "make", "boom": "interrupt"}})
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            execute(folder, tmp_path / "runs", stages)
    assert (tmp_path / "runs" / "01-make" / "step.txt").read_text() == "2"


def test_full_disk_inside_a_stage_is_one_sentence(tmp_path: Path, small: Path, stages: dict[str, str]) -> None:
    with pytest.raises(RunError, match="the disk is full; free some space"):
        execute(small, tmp_path / "runs", stages, boom="disk")
    assert not (tmp_path / "runs" / "01-make" / MANIFEST).exists()


def test_stage_that_forgets_to_finish_is_caught(tmp_path: Path, small: Path, stages: dict[str, str]) -> None:
    with pytest.raises(RunError, match="without finishing"):
        execute(small, tmp_path / "runs", stages, boom="idle")


def test_second_process_is_told_to_wait(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path),
        pytest.raises(RunError, match=f"process {os.getpid()} is running in this folder"),
        lock_folder(tmp_path),
    ):
        pass
    with lock_folder(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


ORPHAN = """
import os, signal, subprocess, sys
from pathlib import Path
from prescreen.pipeline import lock_folder
with lock_folder(Path(sys.argv[1])):
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        signal.pause()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_lock_of_a_dead_process_is_taken_over_even_if_its_child_lives(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", ORPHAN, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    owner.stdout.close()
    owner.wait()
    try:
        with lock_folder(tmp_path):
            assert (tmp_path / ".lock").read_text() == str(os.getpid())
    finally:
        os.kill(child, signal.SIGKILL)


def test_manifest_is_plain_json(tmp_path: Path) -> None:
    manifest = json.loads((finished(tmp_path / "r").folder / MANIFEST).read_text())
    assert {"stage", "fingerprint", "inputs", "outputs", "metrics", "seed", "code", "versions"} <= set(manifest)
