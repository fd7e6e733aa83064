"""Readers of the sources of IEMO-MECP: the IEMOCAP release, the ConvECPE annotation, and full split JSON."""
