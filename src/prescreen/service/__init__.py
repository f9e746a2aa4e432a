"""Pages, sessions, roles and the worker: stage 6. Decides nothing clinical itself."""
