"""The ``evaluate`` module ``iemomecp_explanations``."""
