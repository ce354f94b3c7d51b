"""HTML in texts becomes what a reader sees; what is no HTML stays as it is."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot.corpus.markup import is_html, plain_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>Open <b>My pages</b>.</p><p>Then sa<i>ve</i>.</p>", "Open My pages. Then save."),
        ("<ul><li>one</li><li>two</li></ul>", "one two"),
        ("line<br>break<br/>twice", "line break twice"),
        ('<a href="x>y">the link</a> &amp; more', "the link & more"),
        ("fish &amp; chips, 5&nbsp;&euro;", "fish & chips, 5\xa0€"),
        ("<style>p {color: red}</style><script>if (a < b) go()</script><p>seen</p>", "seen"),
        ("<P CLASS=x>loud</P>", "loud"),
        ("a<!-- not shown -->b", "ab"),
        ("<p>never closed <em>at all", "never closed at all"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("<div>a</div><![CDATA[<p>b of it</p>]]><p>c</p>", "a b of it c"),
        ("<![CDATA[Hello <b>world</b>]]>", "Hello world"),
        ("<html><head><title>T</title><body><p>no end of the head</p></body></html>", "no end of the head"),
        ("<head><noscript><img></noscript><title>T</title></head>b", "b"),
        ("<p>Use &lt;br&gt; for a break</p>", "Use <br> for a break"),
    ],
)
def test_tags_and_entities_are_taken_out(text: str, plain: str) -> None:
    assert is_html(text)
    assert plain_text(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "List<String> x;",
        "AT&T",
        "R&D; x",
        "  two  spaces\n",
        "5 <6",
        "&nosuchthing;",
        "<>",
        "in XML <![CDATA[x]]>",
    ],
)
def test_what_is_no_html_stays(text: str) -> None:
    assert not is_html(text)
    assert plain_text(text) == text


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=60))
def test_no_text_makes_it_fail_and_escaped_text_comes_back(text: str) -> None:
    plain_text(text)
    words = " ".join(text.replace("\0", "").split())
    # A carriage return or a control character is written as HTML writes it, and not every one comes back.
    if re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]*", words):
        assert plain_text(f"<p>{html.escape(words)}</p>") == words
