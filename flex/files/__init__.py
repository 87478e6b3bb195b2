"""Files that survive a crash: atomic writes, locks, JSON lines, the log of a run, and where shipped files lie."""
