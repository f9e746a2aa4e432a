"""A private clinic's own triage assistant: tuned, gated, reviewed by a nurse."""

__version__ = "0.1.0"
