"""Measures training, extraction and prediction on one GPU, each against a plain loop in the same run.

``make bench-gpu`` runs all sections, ``make bench-gpu SMOKE=1`` the same code on the CPU with tiny sizes.
"""
