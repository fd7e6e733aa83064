"""The ``evaluate`` module ``iemomecp_erc``."""
