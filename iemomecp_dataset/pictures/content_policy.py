"""Content security policy of the pages that are written: no script but their own runs, and nothing is fetched.

All text of others is escaped where a page is put together; should some place ever forget it, a browser still refuses to
run what does not have the digest that the page states, to follow ``javascript:`` links, to load pictures or frames, and
to send forms.
"""

from __future__ import annotations

import base64
import hashlib

__all__ = ["policy_element"]


def policy_element(script: str) -> str:
    """Writes the element that states the policy of a page with one inline script.

    Args:
        script: The exact text between ``<script>`` and ``</script>``.

    Returns:
        A ``<meta>`` element, which belongs before every style and script. Styles may be inline, as the bars and lanes
        of the pages are.

    Example:
        >>> "script-src 'sha256-" in policy_element("alert(1)")
        True
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        f"script-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">'
