"""Stage 7: what a clinic watches, learns from and lets serve. Knows contacts and runs, no page and no SQL."""
