"""What a report is given of videos."""

from dnerv.studies.views import middle


def test_the_middle_of_a_video() -> None:
    assert middle(1, 32) == range(1)
    assert middle(10, 4) == range(3, 7)
    assert middle(5, 5) == range(5)
