"""An invented conversation to try the page with."""

from __future__ import annotations

__all__ = ["EXAMPLE"]

EXAMPLE = """\
Noor: The results are in, I can see the letter on the table.
Tom: Then open it, we have been waiting for three weeks!
Noor: I can't, my hands are shaking.
Tom: Give it to me. "We are pleased to offer you the place."
Noor: Oh my god, I got in!
Tom: I knew it! I am so happy for you.
Noor: It starts in September, though. In Lisbon.
Tom: Lisbon? You never told me that it was abroad.
Noor: I was afraid to say it before I knew.
Tom: So you will just leave, and I hear it now.
Noor: Please don't be angry. Come with me.
Tom: You mean that? Then let's look for a flat by the river.
"""
"""One conversation as ``Speaker: words`` lines; nobody has said it."""
