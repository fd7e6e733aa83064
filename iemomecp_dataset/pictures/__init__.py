"""Pictures of the pairs of a conversation: SVG and self-contained HTML, without any network access."""

from iemomecp_dataset.pictures.conversation_page import (
    conversation_fragment,
    conversation_page,
    conversation_script,
    conversation_style,
)

__all__ = ["conversation_fragment", "conversation_page", "conversation_script", "conversation_style"]
