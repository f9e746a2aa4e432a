"""The nurse's pages: queue, chart, signature."""
