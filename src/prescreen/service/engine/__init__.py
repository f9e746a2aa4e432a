"""Asking a model without ever depending on it. Knows no page and no SQL."""
