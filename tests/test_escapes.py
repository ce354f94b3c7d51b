"""What comes from outside stays text in Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io

import pytest

from triglot import escapes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[x](javascript:alert(1))", "\\[x\\](javascript:alert(1))"),
        ("`</code><script>x</script>", "\\`&lt;/code&gt;&lt;script&gt;x&lt;/script&gt;"),
        ("a\n# b\r\n\u2028- c", "a \\# b - c"),
        ("a|b_c*d", "a\\|b\\_c\\*d"),
        ("$x$ &lt; CC0 & more", "\\$x\\$ &amp;lt; CC0 & more"),
        ("\x1b[31mred\x00", "\\[31mred"),
    ],
)
def test_markdown(text: str, said: str) -> None:
    assert escapes.markdown(text) == said


def test_code_that_has_backticks_cannot_end_its_span() -> None:
    assert escapes.markdown_code("a") == "`a`"
    assert escapes.markdown_code("a`<b>`` c\nd") == "```a`<b>`` c d```"
    assert escapes.markdown_code("`a`") == "`` `a` ``"
    assert escapes.markdown_code("a|b", cell=True) == "`a\\|b`"
    assert escapes.markdown_code("") == ""


def test_latex_comments_have_one_line_and_rows_no_commands() -> None:
    assert escapes.latex_comment("toy\n\\input{x}\r\\write18{y}\x85z") == "% toy \\input{x} \\write18{y} z"
    assert escapes.latex("\\a_b{c}%d$e\n[1cm]*") == r"\textbackslash{}a\_b\{c\}\%d\$e {[}1cm]{*}"


def test_no_cell_of_a_csv_is_a_formula() -> None:
    cells = ["=1+1", "+x", "@SUM(A1)", "-x", "\tx", "\rx", "-0.25", "-1e-05", "x=1", -2.0, None, "▲"]
    out = io.StringIO()
    csv.writer(out).writerow([escapes.csv_cell(cell) for cell in cells])
    (row,) = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert row[:6] == ["'=1+1", "'+x", "'@SUM(A1)", "'-x", "'\tx", "'\rx"]
    assert row[6:] == ["-0.25", "-1e-05", "x=1", "-2.0", "", "▲"]
