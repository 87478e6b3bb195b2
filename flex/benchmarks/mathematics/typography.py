r"""What the typography of an answer stands for: TeX, Markdown, HTML and Unicode as one plain notation."""

import re
import unicodedata

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_LOWERED = re.compile(f"[{''.join(_SUBSCRIPTS)}]+")
_VULGAR = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑﹣－", "-"),
        **dict.fromkeys("×·⋅∙∗", "*"),
        **dict.fromkeys("⁄∕÷", "/"),
        **dict.fromkeys("\u00a0\u202f\u2009\u200a\u2002\u2003\u3000\t\r\n", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0f✅✓✔☑", None),
        **dict.fromkeys("“”„‟\"`«»「」『』", None),
        "≤": "<=", "≥": ">=", "≠": "!=", "≡": "=", "≈": "\\approx ", "≃": "\\approx ", "π": "\\pi ", "∞": "\\infty ",
        "√": "\\sqrt ", "∪": "\\cup ", "∩": "\\cap ", "±": "\\pm ", "∈": "\\in ", "∅": "\\emptyset ", "…": "...",
        "，": ",", "；": ";", "：": ":", "。": ".", "、": ",", "（": "(", "）": ")", "［": "[", "］": "]",
    }
)  # fmt: skip

_STYLES = (
    "displaystyle textstyle scriptstyle large Large LARGE huge Huge small normalsize bf it rm sf tt bfseries limits "
    "left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr quad qquad enspace thinspace hfill "
    "centering noindent mathstrut strut"
)
_STYLE = re.compile(rf"\\(?:{'|'.join(_STYLES.split())})(?![A-Za-z])\.?(?<!right\.)(?<!left\.)")
_SPACES = re.compile(r"\\[!,;:> ]|\\[hv]space\{[^{}]*\}|\\(?:h|v)?phantom\{[^{}]*\}|~")
_WRAPPERS = (
    "boxed fbox framebox text textbf textrm textit textsf texttt textup textnormal mathrm mathbf mathit mathsf mathtt "
    "mathnormal boldsymbol bm pmb underline underbrace emph mbox hbox operatorname ensuremath mathord mathop "
    "displaystyle textstyle large Large LARGE huge Huge bf rm it color tag cancel"
)
_WRAPPED = re.compile(rf"\\(?:{'|'.join(_WRAPPERS.split())})\*?\s*\{{([^{{}}]*)\}}")
_COLOURED = re.compile(r"\\(?:textcolor|color|colorbox)\s*(?:\[\w+\])?\{[\w!#]+\}")
_WORDS = {
    "le": "<=", "leq": "<=", "leqslant": "<=", "leqq": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=", "geqq": ">=",
    "lt": "<", "gt": ">", "ne": "!=", "neq": "!=", "equiv": "=", "cdot": "*", "times": "*", "ast": "*", "div": "/",
    "lbrace": "\\{", "rbrace": "\\}", "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")", "vert": "|",
    "lvert": "|", "rvert": "|", "mid": "|", "colon": ":", "degree": "", "circ": "", "dfrac": "\\frac",
    "tfrac": "\\frac",
    "cfrac": "\\frac", "dbinom": "\\binom", "tbinom": "\\binom", "thickapprox": "\\approx", "simeq": "\\approx",
    "sim": "\\approx", "varnothing": "\\emptyset", "dots": "...", "ldots": "...", "cdots": "...", "pounds": "",
    "euro": "", "implies": "=>", "Rightarrow": "=>", "to": "->", "checkmark": "", "mod": "mod", "bmod": "mod",
    "blacksquare": "", "square": "", "lor": "or", "vee": "or", "land": "and", "wedge": "and",
}  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_DEGREES = re.compile(r"\^?\s*\{?\s*\\(?:circ|degree)(?![A-Za-z])\s*\}?|°|\bdegrees?\b(?!\s*[CF]\b)")
_PMOD = re.compile(r"\\(?:pmod|pod)\s*(\{[^{}]*\}|\d+)")
_MOD = re.compile(r"[(\s]+(?:mod(?:ulo)?\s*|\\mod\s*)\{?\s*(\w+)\s*\}?\s*\)?\s*$")
_MARKUP = re.compile(
    r"</?(?:b|i|u|em|strong|span|p|br|code|sup|mark|SMILES)\b[^<>]*>|(?<![\w)\]}])\*\*|\*\*(?![\w(\[{\\-])|__+", re.I
)
_GROUPED = re.compile(r"(?<![\d.,])(?:\d{1,3}(?: \d{3})+|\d{1,2}(?:,\d{2})+,\d{3})(?![\d,]|\.\d*,)")
_MIXED = re.compile(r"(?<![\w.)}^/])(\d+)\s*\\frac\{(\d+)\}\{(\d+)\}")
_MIXED_INLINE = re.compile(r"(?<![\w.)}^/*+])(\d+) (\d+)/(\d+)(?![\w.])")
_REPEATING = re.compile(r"(\d*)\.(\d*)\\(?:overline|bar|dot|overset\{\.\})\{?(\d+)\}?")
_SCALE = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_SCALED = re.compile(rf"(?<=\d)\s*({'|'.join(_SCALE)})\b", re.IGNORECASE)


def plain(text: str) -> str:
    r"""An answer without its typography: `\dfrac{1}{2}`, "½" and `$\frac12$` all become `\frac{1}{2}`.

    Left are `\frac`, `\sqrt`, `\pm` and what else means something; case is kept.
    """
    text = _unicode(text)
    text = _MARKUP.sub("", text)
    text = re.sub(r"\\\$|(?<!\\)\$|[€£¥₹]|\\\(|\\\)|(?<!\\)\\\[|(?<!\\)\\\]", "", text)
    text = _COLOURED.sub("", text)
    text = _unwrapped(text)
    text = _PMOD.sub(r" mod \1", text)
    text = _STYLE.sub("", text)
    text = _SPACES.sub(" ", text.replace("\\\\", "\x00")).replace("\x00", "\\\\")
    text = _DEGREES.sub("", text.replace("{,}", ",").replace("\\%", "%"))
    text = _COMMAND.sub(lambda found: _WORDS.get(found[1], found[0]), text)
    text = re.sub(r"\s*%", " percent", text)
    text = re.sub(r"(?<=\d)\s*x\s*(?=10\^)", "*", " ".join(text.replace("**", "^").split()))
    text = _MOD.sub(r" mod \1", text)
    return _numbers(text).lstrip(" ,;:?*_'").rstrip(" .,;:?*_'")


def _unicode(text: str) -> str:
    """Characters that stand for others; a number raised or lowered keeps its place."""
    text = _RAISED.sub(lambda found: f"^{{{''.join(map(_SUPERSCRIPTS.__getitem__, found[0]))}}}", text)
    text = _LOWERED.sub(lambda found: f"_{{{''.join(map(_SUBSCRIPTS.__getitem__, found[0]))}}}", text)
    text = _VULGAR.sub(" ", text).translate(_CHARACTERS)
    return unicodedata.normalize("NFKC", text).translate(_CHARACTERS)


def _unwrapped(text: str) -> str:
    """Without commands that only change how something looks, from the inside out."""
    for _ in range(8):
        inner = _WRAPPED.sub(lambda found: f" {found[1]} " if found[1].strip() else "", text)
        if inner == text:
            break
        text = inner
    return text


def _numbers(text: str) -> str:
    r"""Digits joined that are grouped, fractions in one spelling, mixed numbers as sums, "2 million" as a product."""
    text = _GROUPED.sub(lambda found: re.sub("[ ,]", "", found[0]), text)
    text = re.sub(r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{", text)
    text = re.sub(r"\\frac\s*(\{[^{}]*\})\s*(\d)", r"\\frac\1{\2}", text)
    text = re.sub(r"\\sqrt\s*(\d|[a-z])", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![A-Za-z\\])sqrt\s*", r"\\sqrt", text)
    text = re.sub(r"(?<=\\frac)\s+|(?<=\\sqrt)\s+|(?<=\})\s+(?=\{)|(?<=\{)\s+|\s+(?=\})", "", text)
    text = re.sub(r"\s*([/^_])\s*", r"\1", text)
    text = re.sub(r"(?<=\^)\{(\w)\}|(?<=_)\{(\w)\}", lambda found: found[1] or found[2], text)
    text = _REPEATING.sub(_repeating, text)
    text = _MIXED.sub(r"(\1+\\frac{\2}{\3})", text)
    text = _MIXED_INLINE.sub(r"(\1+\2/\3)", text)
    return _SCALED.sub(lambda found: f"*10^{{{_SCALE[found[1].casefold()]}}}", text)


def _repeating(found: re.Match[str]) -> str:
    whole, fixed, period = found.groups()
    below = 10 ** len(fixed) * (10 ** len(period) - 1)
    above = int(whole + fixed + period) - int(whole + fixed or "0")
    return f"\\frac{{{above}}}{{{below}}}"
