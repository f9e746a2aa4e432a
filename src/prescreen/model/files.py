"""Which files make up a model, without loading any: torch-free, for hashing and the doctor."""

import json
from importlib.resources import files
from pathlib import Path

from prescreen.errors import WeightsError

TWIN = "twin"


def locate_model(where: str | Path) -> Path:
    """Resolve `twin`, a model folder or a training run to the folder that holds weights or an adapter."""
    if str(where) == TWIN:
        return Path(str(files("prescreen.model").joinpath(TWIN)))
    folder = Path(where)
    for candidate in (folder, folder / "model", folder / "adapter"):
        if (candidate / "config.json").exists() or (candidate / "adapter_config.json").exists():
            return candidate
    raise WeightsError(
        f"{where}: no model here; expected `twin`, a model folder with config.json or a training run"
    )


def weight_files(where: str | Path) -> list[Path]:
    """The weight files of a model folder; WeightsError when there are none."""
    folder = locate_model(where)
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise WeightsError(f"{folder}: no .safetensors files")
    return shards


def base_of(folder: Path) -> Path:
    """The model folder an adapter folder sits on."""
    path = folder.parent / "base.json"
    if not path.exists():
        raise WeightsError(f"{folder}: an adapter without base.json beside it; use the whole training run")
    base = json.loads(path.read_text())["base"]
    return locate_model(base if base == TWIN or Path(base).is_absolute() else folder.parent / base)
