"""An invented clinic that works for a year in minutes, to prove the loop. Its people do not exist."""
