"""The patient's pages and the way through one visit."""
