"""What reaches a terminal does nothing to it."""

import pytest

from dnerv.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, über, 動画, [bold]", "plain, über, 動画, [bold]"),
        ("3:14\u202fPM", "3:14\u202fPM"),  # a space as others
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\nb\r\tc\x07\x7f", r"a\nb\r\tc\x07\x7f"),
        ("\x9b2J", r"\x9b2J"),  # a control sequence in one character
        ("evil\u202egpj.exe", r"evil\u202egpj.exe"),
        ("line\u2028end", r"line\u2028end"),
        ("lone \udcff", r"lone \udcff"),
        ("👩\u200d🚒", "👩\u200d🚒"),
        ("\U000e0041", r"\U000e0041"),  # a tag nobody sees
        ("", ""),
    ],
    ids=ascii,
)
def test_what_controls_a_terminal_is_spelt(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_once_is_enough() -> None:
    every = "".join(map(chr, range(0x3000)))
    assert printable(printable(every)) == printable(every)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in printable(every))
