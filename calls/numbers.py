"""Numbers as people write them: 二零二四年三月五号 becomes 2024年3月5号.

What was heard stays as it was spoken, for phrases and rules are compared with that; this is for
reading. Only what is surely a number is turned: 一下, 十分感谢, 两三天 and 几百 stay.
"""

import re

from calls.masks import mask_text

_DIGITS = dict(zip("零〇一二三四五六七八九幺两", "00123456789" + "12", strict=True))
_ONE = "[一二两三四五六七八九]"
_PLAIN = "[零〇一二三四五六七八九]"
_CALLED = "[零〇一二三四五六七八九幺]"
"""As numbers are read out: 幺 is 1, 两 is none."""
_UNITS = (("亿", 10**8), ("万", 10**4), ("千", 1000), ("百", 100), ("十", 10))
_ANY = "零〇一二两三四五六七八九幺十百千万亿"
_VAGUE_BEFORE = "几数好成"
_VAGUE_AFTER = "几多来余数"
_REST = "[零〇一二两三四五六七八九十百千万亿]*"
_WHOLE = f"(?:{_ONE}[十百千万亿]{_REST}|十[一二三四五六七八九万亿]{_REST})"
_COUNTED = "[个块元天年月日号点人岁次楼层室栋户秒位名条页件份米里斤]|分钟|单元"
"""After these a lone 十 is a number: 十分 and 十足 are none."""

_PERCENT = re.compile(f"百分之(百|{_WHOLE}|十|{_ONE})(?:点({_PLAIN}+))?(?![{_ANY}])")
_DECIMAL = re.compile(
    f"(?<![{_ANY}])({_WHOLE}|十|[零〇]|{_ONE})点({_PLAIN}+)"
    "(?=元|块|万|亿|倍|度|公里|平米|平方|公斤|吨|米|个百分点)"
)
_NUMBER = re.compile(
    f"(?<![{_ANY}{_VAGUE_BEFORE}0-9])({_WHOLE}|十(?={_COUNTED}))(?![{_ANY}{_VAGUE_AFTER}])"
)
_READ_OUT = re.compile(f"(?<![{_ANY}]){_CALLED}{{3,}}(?![{_ANY}{_VAGUE_AFTER}])")
"""Digits one by one: numbers of telephones, cards, years, rooms."""
_SHORT_YEAR = re.compile(
    "(?<![零〇一二三四五六七八九])(?:[零〇][一二三四五六七八九]|[一二][零〇])(?=年)"
)
_SINGLE = re.compile(
    f"(?<![{_ANY}{_VAGUE_BEFORE}0-9])(?:"
    f"(?<=年){_ONE}(?=月)"
    f"|{_ONE}(?=月(?:(?:[0-9]{{1,2}}|{_ONE})[号日]|份|初|底|中旬|上旬|下旬))"
    f"|(?<=月){_ONE}(?=日)|{_ONE}(?=号)"
    f"|(?:(?<=[上下中]午)|(?<=[早晚]上)|(?<=凌晨)){_ONE}(?=点)"
    f"|{_ONE}(?=点(?:钟|半|整|[0-9]+分|{_ONE}分|[零〇]{_ONE}分|之前|以前|之后|以后|左右))"
    f"|(?<=点)[零〇]{_ONE}(?=分)|(?<=点){_ONE}(?=分)"
    f"|{_ONE}(?=元|块钱|单元|室|栋|幢|层|楼(?![上下道梯市房盘]))|(?<=[0-9]块){_ONE}(?!个)"
    f"|(?<=第){_ONE}(?=[条款项次个页天期季批]))"
)


def readable(text: str) -> str:
    """The text with its dates, times, sums, shares and numbers in figures.

    A number that was read out keeps its digits one by one; one in 万 or 亿 keeps that word.
    """
    text = _PERCENT.sub(_percent, text)
    text = _DECIMAL.sub(lambda m: f"{_figures(m[1])}.{_one_by_one(m[2])}", text)
    text = _NUMBER.sub(lambda m: _figures(m[1]), text)
    text = _READ_OUT.sub(lambda m: _one_by_one(m[0]), text)
    text = _SHORT_YEAR.sub(lambda m: _one_by_one(m[0]), text)
    return _SINGLE.sub(lambda m: _one_by_one(m[0]), text)


def shown(text: str) -> str:
    """The readable form with what is personal in it starred, in either form."""
    return mask_text(readable(mask_text(text)))


def _percent(match: re.Match[str]) -> str:
    whole = "100" if match[1] == "百" else _figures(match[1])
    return f"{whole}.{_one_by_one(match[2])}%" if match[2] else f"{whole}%"


def _one_by_one(spoken: str) -> str:
    return "".join(_DIGITS[character] for character in spoken)


def _figures(spoken: str) -> str:
    """A number in figures; as it was where it is no number after all."""
    value = _value(spoken)
    if value is None:
        return spoken
    for word, unit in _UNITS[:2]:
        if value and value % unit == 0:
            return f"{value // unit}{word}"
    return str(value)


def _value(spoken: str) -> int | None:
    """The value of a number with units; None where they do not stand as in a number."""
    for word, unit in _UNITS:
        if word in spoken:
            head, tail = spoken.split(word, 1)
            factor = 1 if (word, head) == ("十", "") else _value(head)
            rest = _rest(tail, unit)
            if not factor or rest is None or (unit <= 1000 and factor > 9):
                return None
            return factor * unit + rest
    return int(_DIGITS[spoken]) if len(spoken) == 1 else None


def _rest(spoken: str, unit: int) -> int | None:
    """What follows a unit: 一百零五 is 105, 一百五 is 150."""
    if not spoken:
        return 0
    if spoken[0] in "零〇":
        value = _value(spoken[1:]) if len(spoken) > 1 else None
    elif len(spoken) == 1:
        return int(_DIGITS[spoken]) * unit // 10 if spoken in _DIGITS else None
    else:
        value = _value(spoken)
    return value if value is not None and value < unit else None
