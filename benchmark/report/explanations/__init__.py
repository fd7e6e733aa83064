"""The part of the report on written explanations."""
