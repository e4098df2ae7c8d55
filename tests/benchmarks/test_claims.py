"""The page of claims is what the records give, and verdicts are what intervals say."""

import claims
import pytest
from claims import Evidence, page, verdict

from dnerv.studies.paired import paired


def evidence(*values: float) -> Evidence:
    return Evidence("somewhere", paired([[value] for value in values]))


def test_the_page_is_that_of_the_records() -> None:
    assert claims.PAGE.read_text() == page()


@pytest.mark.parametrize(
    ("found", "judged"),
    [
        ([evidence(1.0, 1.1, 0.9)], 1),
        ([evidence(-1.0, -1.1, -0.9)], -1),
        ([evidence(1.0, -1.1, 0.9)], 0),
        ([evidence(5.0)], 0),  # measured once
        ([evidence(1.0, 1.1, 0.9), evidence(0.1, -0.1, 0.0)], 1),
        ([evidence(1.0, 1.1, 0.9), evidence(-1.0, -1.1, -0.9)], 0),
    ],
)
def test_verdicts(found: list[Evidence], judged: int) -> None:
    assert verdict(found) == judged


def test_words() -> None:
    assert str(evidence(5.0)) == "somewhere: +5.00 dB, measured once"
    assert str(evidence(1.0, 1.0)) == "somewhere: +1.00 dB (+1.00 to +1.00)"


def test_check_says_when_the_page_is_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["claims.py", "--check"])
    claims.main()
    monkeypatch.setattr(claims, "page", lambda: "another")
    with pytest.raises(SystemExit, match=r"docs/claims\.md is not what the records give"):
        claims.main()
