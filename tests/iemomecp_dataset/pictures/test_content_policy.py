"""The pages state a policy that knows their own script and no other."""

from __future__ import annotations

import base64
import hashlib
import re

from predicted_conversations import hostile, office

from iemomecp_dataset.pictures import conversation_page
from iemomecp_dataset.pictures.content_policy import policy_element


def test_the_digest_is_of_the_script_as_it_stands_in_the_page():
    for predicted in ([office()], [office(), hostile()]):
        page = conversation_page(predicted)
        (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}';" in page
        assert page.index("Content-Security-Policy") < page.index("<title>")
        assert policy_element(script) in page


def test_nothing_is_fetched_sent_or_run_by_default():
    rules = policy_element("").split('content="')[1].rstrip('">').split("; ")
    assert rules[0] == "default-src 'none'"
    assert {"base-uri 'none'", "form-action 'none'"} <= set(rules)
    assert "unsafe-inline" not in next(rule for rule in rules if rule.startswith("script-src"))
    assert not any("http" in rule or "*" in rule for rule in rules if not rule.startswith("script-src"))
