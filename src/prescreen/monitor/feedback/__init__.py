"""From signatures to the next version: what was signed becomes rows to learn from, or the batch is stopped."""
