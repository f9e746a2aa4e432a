"""What watches the running service: figures, traces, the engines on trial, the release that may change."""
