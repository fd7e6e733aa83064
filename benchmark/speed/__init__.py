"""Speed as ratios against named alternatives, measured in the same process; run by ``make bench``."""
