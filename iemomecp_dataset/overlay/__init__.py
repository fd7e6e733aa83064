"""The label overlay of IEMO-MECP: downloading, reading, validation and summary."""
