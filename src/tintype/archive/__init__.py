"""An archive: a million scans, what was done with them, and how to look at it."""
