"""The label overlay of IEMO-MECP: reading, validating, summarising, verifying."""
