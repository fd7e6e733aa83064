"""Pictures of the pairs of a conversation: SVG and self-contained HTML, without any network access."""
