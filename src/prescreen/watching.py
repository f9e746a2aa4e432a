"""The verbs by which a clinic watches its assistant. Knows typer; `monitor/` and `simulation/` do the work."""

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    context: typer.Context,
    weeks: Annotated[int, typer.Option("--weeks", min=6, max=52, help="How long it lasts.")] = 52,
    contacts: Annotated[int, typer.Option("--contacts", min=8, max=500, help="Patients a week.")] = 40,
    model: Annotated[Path, typer.Option("--model", help="Where it begins.")] = Path("runs/tiny/05-dpo"),
    recipes: Annotated[Path, typer.Option("--recipes", help="How updates are made.")] = Path("recipes/simulation"),
    out: Annotated[Path, typer.Option("--out", help="A new folder.")] = Path("runs/simulation"),
    seed: Annotated[int, typer.Option("--seed", help="Another year with other people.")] = 0,
) -> None:
    """Let an invented clinic work for a year and judge whether the loop keeps its promises; 1 where not."""
    from prescreen.simulation.page import PAGE
    from prescreen.simulation.whole import Order
    from prescreen.simulation.whole import simulate as live

    bars = live(Order(out, model, recipes, weeks, contacts, seed), context.find_root().obj)
    for bar in bars:
        print(f"{ {True: 'met', False: 'MISSED', None: 'told'}[bar.met]:<7}{bar.name}: {bar.figure}")
    print(f"{out / PAGE}: a tiny model and invented people; plumbing, no evidence about any patient")
    if any(bar.met is False for bar in bars):
        raise typer.Exit(1)
