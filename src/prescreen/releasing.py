"""The verbs of a release's life. Knows typer; the work is done in `monitor/` and `release`."""
