"""What watches the running service: numbers on their own port, traces, a model on trial, a changed release."""
