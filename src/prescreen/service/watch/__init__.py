"""What the service tells those who watch it: numbers on a port of their own, and traces. No word of anybody."""
