"""Feature stores: vectors by utterance on disk, and the tables read from them."""
