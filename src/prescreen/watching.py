"""The verbs by which a clinic watches its assistant. Knows typer; `monitor/` and `simulation/` do the work."""
