"""Formulas as MathML, which browsers typeset themselves: no script, no network."""

import html
import re

from latex2mathml.converter import convert

SPACE = '<mspace width="0.17em"/>'
NAME = r"<mi>(?:ln|max|exp)</mi>"
BEFORE = re.compile(rf"(</mi>|</msub>|&#x00029;</mo>)({NAME})")  # a factor, or ")"
AFTER = re.compile(rf"({NAME})(<mi>|<msub>|<msup>|<mrow><mi|<mn>)")  # but no bracket
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.S)
BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.S)


def on_page_content(content: str, **_: object) -> str:
    """Replace what pymdownx.arithmatex marked."""
    content = BLOCK.sub(lambda found: _mathml(found, "block"), content)
    return INLINE.sub(lambda found: _mathml(found, "inline"), content)


def _mathml(found: re.Match[str], display: str) -> str:
    return _spaced(convert(html.unescape(found.group(1)).strip(), display=display))


def _spaced(formula: str) -> str:
    """Put the space beside `ln` that TeX has there and MathML has not."""
    formula = BEFORE.sub(rf"\1{SPACE}\2", formula)
    return AFTER.sub(rf"\1{SPACE}\2", formula)
