"""Readers of what IEMO-MECP is built on: the IEMOCAP release, ConvECPE, and full split JSON."""
