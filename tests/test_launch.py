"""Launch files are run against stand-ins that note their arguments; torch, Kubeflow and our recipes judge those."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from prescreen.cli import STAGES
from prescreen.config import Recipe
from prescreen.pipeline import load_steps, parse_overrides
from prescreen.train.settings import TuningRecipe

LAUNCH = Path(__file__).parents[1] / "launch"
# Long options of sbatch(1), Slurm 22.05, that a training job may need.
SBATCH = """account chdir constraint cpus-per-gpu cpus-per-task dependency error exclude exclusive export gpus
gpus-per-node gpus-per-task gres job-name mail-type mail-user mem mem-per-cpu mem-per-gpu nodelist nodes ntasks
ntasks-per-node open-mode output partition qos requeue reservation signal time"""
STAND_INS = {
    "prescreen": 'echo prescreen "$@" >> "$NOTED"',
    "torchrun": 'echo torchrun "$@" >> "$NOTED"',
    "srun": 'exec "$@"',
    "scontrol": "printf 'node1\\nnode2\\n'",
}


def read_command(words: list[str]) -> tuple[list[Recipe], int]:
    """The recipes a command runs and in how many processes; an unknown option, file or key is an error."""
    processes = 1
    if words[0] == "torchrun":
        from torch.distributed.run import get_args_parser, parse_min_max_nnodes

        parsed = get_args_parser().parse_args(words[1:])
        assert parsed.module and parsed.training_script == "prescreen.cli"
        processes = int(parsed.nproc_per_node) * parse_min_max_nnodes(parsed.nnodes)[1]
        words = ["prescreen", *parsed.training_script_args]
    assert words[:2] == ["prescreen", "run"]
    arguments = words[2:]
    if "--runs" in arguments:
        at = arguments.index("--runs")
        del arguments[at : at + 2]
    path = LAUNCH.parent / arguments[0].removeprefix("/prescreen/")
    return [step.recipe for step in load_steps(path, STAGES, parse_overrides(arguments[1:]))], processes


def check_commands(commands: list[list[str]]) -> None:
    """Several processes run training stages only, and share enough rows."""
    for words in commands:
        recipes, processes = read_command(words)
        for recipe in recipes:
            recipe.check_processes(processes)


@pytest.mark.parametrize("script", ["torchrun.sh", "slurm.sbatch"])
def test_a_script_runs_every_stage_with_the_same_settings(script: str, tmp_path: Path) -> None:
    for name, does in STAND_INS.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    noted = tmp_path / "noted"
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "NOTED": str(noted)}
    environment |= {"SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_JOB_ID": "7"}
    subprocess.run(["bash", LAUNCH / script], env=environment, cwd=LAUNCH.parent, check=True)
    commands = [shlex.split(line) for line in noted.read_text().splitlines()]
    check_commands(commands)
    trained = [read_command(words)[0][0].stage for words in commands if words[0] == "torchrun"]
    *_, (whole, _) = map(read_command, commands)
    assert trained == [recipe.stage for recipe in whole if isinstance(recipe, TuningRecipe)]
    assert len({words[-1] for words in commands[1:]}) == 1, "another setting would train a stage again"


def test_slurm_options_exist() -> None:
    text = (LAUNCH / "slurm.sbatch").read_text()
    given = re.findall(r"^#SBATCH --([\w-]+)(?:=\S+)?$", text, re.MULTILINE)
    assert len(given) == text.count("#SBATCH") and set(given) <= set(SBATCH.split())


def test_the_trainjob_is_what_kubeflow_takes() -> None:
    from kubeflow_trainer_api.models.trainer_v1alpha1_train_job import TrainerV1alpha1TrainJob

    job = yaml.safe_load((LAUNCH / "trainjob.yaml").read_text())
    read = TrainerV1alpha1TrainJob.from_dict(job)
    assert read is not None and read.to_dict() == job, "a field Kubeflow does not know is dropped"
    assert (job["apiVersion"], job["kind"]) == ("trainer.kubeflow.org/v1alpha1", "TrainJob")
    trainer = job["spec"]["trainer"]
    torchrun, *script = trainer["command"]
    counts = ["--nnodes", str(trainer["numNodes"]), "--nproc-per-node", str(trainer["numProcPerNode"])]
    check_commands([[torchrun, *counts, *script, *trainer["args"]]])


def test_the_readme_names_files_and_commands_that_exist() -> None:
    page = (LAUNCH / "README.md").read_text()
    said = [line for line in re.findall(r"`([^`\n]+)`|^((?:torchrun|prescreen) .+)$", page, re.MULTILINE)]
    lines = [shlex.split(inline or block) for inline, block in said]
    commands = [words for words in lines if words[0] in ("torchrun", "prescreen") and "run" in words]
    assert len(commands) >= 3
    check_commands(commands)
    named = {word for words in lines for word in words if word.startswith("launch/")}
    assert named == {f"launch/{path.name}" for path in LAUNCH.iterdir() if path.suffix != ".md"}
