"""Predictions of more conversations than fit in memory: in chunks, by any number of workers, resumable.

A **chunk** is a run of consecutive conversations of bounded size. The input alone decides where chunks begin, and a
chunk is scored as a whole, so that the last bit of every probability is the same whoever works on it. A **shard** is
what one worker does: the chunks that are dealt to it.
"""
