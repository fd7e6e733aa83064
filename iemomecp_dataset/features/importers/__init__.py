"""Features that others have published, into feature stores."""
