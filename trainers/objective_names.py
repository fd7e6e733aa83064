"""Names of the training objectives, apart from their code so that ``--help`` needs no torch."""

OBJECTIVE_NAMES = (
    "base",
    "rpcl",
    "cdmr",
    "ccps",
    "fixed_margin",
    "utterance_dropout",
    "rpcl_no_consistency",
    "rpcl_no_corrupted_supervision",
    "rpcl_fixed_margin",
    "rpcl_all_negatives",
)

WITHOUT_RANKING = ("base", "ccps", "utterance_dropout")
"""Those that have no margin ranking."""
