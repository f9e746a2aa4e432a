"""What a worker of an evaluation knows before it is started: tasks, and the rules, compiled (see `parallel`)."""

import prescreen.evals.tasks  # noqa: F401
from prescreen.clinic.redflags import load_rules

load_rules()
