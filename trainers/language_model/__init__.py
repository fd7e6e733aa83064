"""Language models as baselines: what they are asked, how their answers are read, kept and made into a run."""
