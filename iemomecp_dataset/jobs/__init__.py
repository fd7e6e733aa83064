"""Runs commands somewhere: processes of this machine, ray, SLURM. Knows nothing of trainings, predictions or features.

A :class:`~iemomecp_dataset.jobs.job.Job` is a command with resources, a log and a name. A
:class:`~iemomecp_dataset.jobs.backend.Backend` takes a list of them and tells their states.
"""
