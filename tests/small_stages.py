"""Two stages no product knows, small enough to run the executor a hundred times a second."""

from pathlib import Path

from prescreen.config import Recipe
from prescreen.run import Run


class MakeRecipe(Recipe):
    """Writes `text` to a file; `boom` names a way to fail."""

    text: str = "hello"
    boom: str = ""
    source: str = ""

    def external(self) -> list[Path]:
        return [Path(self.source)] if self.source else []


class CopyRecipe(Recipe):
    """Copies its parent's file, `times` over."""

    times: int = 1
    loss: dict[str, float] = {}


def make(recipe: MakeRecipe, run: Run) -> None:
    leftovers = run.folder / "step.txt"
    steps = int(leftovers.read_text()) if leftovers.exists() else 0
    leftovers.write_text(str(steps + 1))
    if recipe.boom == "interrupt":
        raise KeyboardInterrupt
    if recipe.boom == "disk":
        raise OSError(28, "No space left on device")
    if recipe.boom == "idle":
        return
    output = run.folder / "text.txt"
    output.write_text(recipe.text)
    run.finish([output], {"characters": len(recipe.text), "resumed_from": steps})


def copy(recipe: CopyRecipe, run: Run) -> None:
    output = run.folder / "text.txt"
    output.write_text((run.inputs["source"].folder / "text.txt").read_text() * recipe.times)
    run.finish([output], {"characters": output.stat().st_size})
