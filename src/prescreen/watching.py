"""The verbs by which a clinic watches its assistant. Knows typer; the work is done in `monitor/` and `simulation/`."""
