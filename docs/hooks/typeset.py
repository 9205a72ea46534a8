"""Formulas as MathML, which browsers typeset themselves: no script, no network."""

import html
import re

from latex2mathml.converter import convert

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.S)
BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.S)


def on_page_content(content: str, **_: object) -> str:
    """Replace what pymdownx.arithmatex marked."""
    content = BLOCK.sub(lambda found: _mathml(found, "block"), content)
    return INLINE.sub(lambda found: _mathml(found, "inline"), content)


def _mathml(found: re.Match[str], display: str) -> str:
    return convert(html.unescape(found.group(1)).strip(), display=display)
