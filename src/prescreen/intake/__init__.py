"""One interview as a value: state and answer in, next step out. Knows no web and no SQL."""
