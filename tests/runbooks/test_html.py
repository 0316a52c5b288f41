"""Runbooks as HTML: what the file says, and nothing that acts."""

from __future__ import annotations

import pytest

from incidentd.runbooks.html import body_html

FRONT = "---\nmatch: [a=b]\nowner: secret-team\n---\n"


def test_the_text_is_shown_without_its_front_matter() -> None:
    shown = body_html(
        FRONT
        + "# Hi\n\n1. `a < b`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```yaml step promql\nquery: up\n```\n"
    )
    assert "secret-team" not in shown
    for part in ("<h1>Hi</h1>", "<ol>", "<code>a &lt; b</code>", "<td>1</td>", "query: up"):
        assert part in shown


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://tracker.example/pixel.png)",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](JaVaScRiPt:alert(1))",
        "<javascript:alert(1)>",
        "<a href='x' onclick='y'>z</a>",
        "<style>*{display:none}</style>",
        "<iframe src=x></iframe>",
        "<form action=x><input></form>",
        '```"><script>alert(1)</script>\nx\n```',
        '[x](https://ok.example "><script>alert(1)</script>")',
    ],
)
def test_nothing_on_it_acts_or_is_loaded(evil: str) -> None:
    shown = body_html(FRONT + evil).lower()
    for part in ("<script", "<img", "<style", "<iframe", "<form", "<input", 'href="javascript', 'href="data'):
        assert part not in shown
    assert " onclick=" not in shown.replace("&lt;a href='x' onclick=", "")


def test_links_lead_out_without_saying_where_from() -> None:
    assert body_html(FRONT + "[x](https://ok.example/)") == (
        '<p><a href="https://ok.example/" rel="noopener noreferrer nofollow">x</a></p>\n'
    )


QUERY = 'up{job="$job",a=~"$gone|"}'


def test_a_query_shows_the_incidents_labels_and_its_kind() -> None:
    text = f"{FRONT}1. Look\n\n   ```yaml step promql\n   query: {QUERY}\n   ```\n2. `$job`\n"
    shown = body_html(text, {"job": "shop"})
    assert '<pre><code># promql\nquery: up{job="shop",a=~".*"}\n</code></pre>' in shown.replace("&quot;", '"')
    assert "<code>$job</code>" in shown
    assert "$job" in body_html(text).partition("2.")[0]


@pytest.mark.parametrize("value", ["</code></pre><script>alert(1)</script>", "\n```\n<b>", '"} or vector(1)'])
def test_a_label_in_a_query_stays_inside_of_it(value: str) -> None:
    text = f"{FRONT}1. Look\n\n   ```yaml step promql\n   query: {QUERY}\n   ```\n"
    shown = body_html(text, {"job": value})
    assert "<script" not in shown
    assert "<b>" not in shown
    assert shown.count("<pre>") == shown.count("</pre>") == 1
