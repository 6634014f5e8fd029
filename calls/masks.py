"""Personal data out of sight: numbers, names and house numbers, in text and alone.

An identity number counts by its birth date and check digit (GB 11643-1999), a bank card by its
issuer's first digits (ISO/IEC 7812-1) and Luhn's; so a case number of the same length stays
readable. A name is seen after words that announce one (我叫, 姓名), an address by its house, unit
and room. A mask keeps a text's length, so that offsets into it stay right.
"""

import re
from datetime import date

_PHONE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)(0\d{2,3})[- ]?(\d{4})(\d{3,4})(?!\d)")
_LONG = re.compile(r"(?<!\d)(?:\d[ -]?){14,18}[\dXx](?!\d)")
_SPOKEN = re.compile("[零〇一二三四五六七八九幺]{7,}")
"""A number read out digit by digit and written in characters."""
_CARD = re.compile(r"(?:62|60|81|9|4|5|3[4578]|222[1-9]|2[3-6]|27[01]|2720)\d+")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_ID_LENGTH = 18
_CARD_LENGTHS = range(15, 20)
_OLDEST = 1900
_SHORT = 4

_SURNAMES = (
    "欧阳|司马|上官|诸葛|[王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡"
    "贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺"
    "赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳邢岳齐梅莫庄辛管祝左涂谷祁耿牟卜路詹关苗凌"
    "费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴华车冉房边]"
)
_NOT_NAMES = "师傅|老师|先生|女士|医生|大夫|主任|经理|科长|处长|局长|书记|新区|开区|东区|西区"
_NAME = re.compile(
    "((?:我叫|名字叫|名字是|姓名是|姓名[：:]|姓名叫|联系人是|联系人[：:])做?"
    f"(?:{_SURNAMES}))(?!{_NOT_NAMES})"
    "([\u4e00-\u9fff]{1,2}?(?=$|[^\u4e00-\u9fff]|[的是啊呀我住想]|今年|电话|身份)|[\u4e00-\u9fff]{2})"
)
_NUMBER = "(?:[0-9]{1,5}|[零〇一二两三四五六七八九十百]{1,6})"
_HOUSE = f"{_NUMBER}(?:号楼|号院|号|栋|幢|座|弄)"
_HOME = f"{_NUMBER}(?:单元|门|室|户)"
_PUBLIC = (
    "(?![线馆厅]|窗口|柜台|台|之前|以前|之后|以后|前|后|热线|公告|文件|通知|令|电梯|门口|开|截止)"
)
_ADDRESS = re.compile(
    f"{_HOUSE}[- ,，]?{_HOME}(?:[- ,，]?{_NUMBER}(?:单元|室|户|层|楼|门)?)?"
    f"|(?:路|大街|(?<!知)(?<!街)道|胡同|巷|新村|小区|公寓|花园|家园|嘉园)(?:{_HOUSE}{_PUBLIC}"
    f"(?:[- ,，]?{_NUMBER}(?:单元|室|户|层|楼|门)?)*)"
)
_PLACE = re.compile("[0-9零〇一二两三四五六七八九十百]")

MAY_HOLD = (
    "[0-9]{3}|[0-9][ -][0-9]|[零〇一二三四五六七八九幺]{7}|我叫|名字|姓名|联系人"
    "|[0-9零〇一二两三四五六七八九十百](号|栋|幢|座|弄)"
)
"""What every text has that ``mask_text`` changes: a quick look, in Python's and DuckDB's words."""


def mask_text(text: str) -> str:
    """A text with what is personal in it starred; its length stays as it was."""
    text = _LONG.sub(lambda m: _long(m[0]), text)
    text = _PHONE.sub(lambda m: _keep_ends(m[0], 3, 4), text)
    text = _LANDLINE.sub(lambda m: _keep_ends(m[0], len(m[1]), 3), text)
    text = _SPOKEN.sub(lambda m: _starred(m[0], 3, 2), text)
    text = _NAME.sub(lambda m: m[1] + "*" * len(m[2]), text)
    return _ADDRESS.sub(lambda m: _PLACE.sub("*", m[0]), text)


def mask_number(number: str) -> str:
    """A caller's number for a list: its first three digits and its last four."""
    return number if len(number) <= _SHORT else _keep_ends(number, 3, min(4, len(number) - 4))


def _keep_ends(text: str, first: int, last: int) -> str:
    """Star the digits between the first and the last ones; other characters stay."""
    places = [i for i, c in enumerate(text) if c.isdigit()]
    prefix = text.startswith("+86") or (len(places) == 13 and text.startswith("86"))
    hidden = set(places[(2 if prefix else 0) + first : len(places) - last])
    return "".join("*" if i in hidden else c for i, c in enumerate(text))


def _starred(text: str, first: int, last: int) -> str:
    return text[:first] + "*" * (len(text) - first - last) + text[-last:]


def _long(text: str) -> str:
    """An identity or card number starred, written together or in groups."""
    places = [i for i, c in enumerate(text) if c not in " -"]
    digits = "".join(text[i] for i in places)
    if not (_is_identity(digits) or _is_card(digits)):
        return text
    hidden = set(places[4:-4])
    return "".join("*" if i in hidden else c for i, c in enumerate(text))


def _is_identity(text: str) -> bool:
    if len(text) != _ID_LENGTH or not text[:17].isdecimal() or not text.isascii():
        return False
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(int(c) * w for c, w in zip(text[:17], _WEIGHTS, strict=True))
    return born.year >= _OLDEST and _CHECKS[total % 11] == text[17].upper()


def _is_card(digits: str) -> bool:
    if not (digits.isascii() and digits.isdecimal() and _CARD.fullmatch(digits)):
        return False
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return len(digits) in _CARD_LENGTHS and total % 10 == 0
