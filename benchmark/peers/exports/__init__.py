"""Input files of each peer, from our rows: one module per peer, and what all of them share."""
