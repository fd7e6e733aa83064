"""Starts a clone of HiLo and reads its decisions; the entry is ``launch_hilo.py`` beside this folder."""
