"""Run folders: the record of a run, the index of a folder of runs, training logs, and runs of other systems."""
