"""The page: a conversation in, its transcript with arrows and its triangle out; this folder is a ready Space."""
