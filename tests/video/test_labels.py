from pathlib import Path

import pytest

from dnerv.errors import InputError
from dnerv.video import Member, labelled

MEMBERS = [
    Member("fight/f1", Path("/x/fight/f1.mp4"), "fight"),
    Member("a.avi", Path("/x/a.avi"), None),
    Member("a.mp4", Path("/x/a.mp4"), None),
    Member("frames", Path("/x/frames"), None),
]


def labels(tmp_path: Path, text: str | bytes) -> list[str | None]:
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [member.label for member in labelled(MEMBERS, path)]


def test_names_with_and_without_extension_and_other_columns(tmp_path: Path) -> None:
    text = 'path,label,split\nfight/f1.mp4,"a, b",train\n./a.mp4, two ,test\nframes,three,\n'
    assert labels(tmp_path, text) == ["a, b", None, "two", "three"]
    assert labels(tmp_path, "\ufefflabel,path\r\nx,fight/f1\r\n\r\n") == ["x", None, None, None]


def test_what_the_file_leaves_out_or_empty_has_no_label(tmp_path: Path) -> None:
    assert labels(tmp_path, "path,label\n") == [None] * 4  # class folders no longer count
    assert labels(tmp_path, "path,label\nfight/f1,\n") == [None] * 4


def test_everything_but_the_label_stays(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("path,label\nframes,new\n")
    assert labelled(MEMBERS, path)[3] == Member("frames", Path("/x/frames"), "new")
    assert [(m.name, m.source_path) for m in labelled(MEMBERS, path)] == [(m.name, m.source_path) for m in MEMBERS]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must name the columns path and label; it names nothing"),
        ("fight/f1,fight\n", "it names fight/f1, fight"),
        ("path,class\nfight/f1,fight\n", "it names path, class"),
        ("path,label\nfight/f2.mp4,fight\n", "line 2: no video of the input is called 'fight/f2.mp4'"),
        ("path,label\na,one\n", "no video of the input is called 'a'"),
        ("path,label\nfight/f1,x\n\nfight/f1.mp4,x\n", "line 4: video 'fight/f1' has a label already"),
        ("path,label\nfight/f1\n", "line 2: a path and a label are needed"),
        ("path,label\n,x\n", "line 2: a path and a label are needed"),
        (b"path,label\n\xff,x\n", "not a CSV file in UTF-8"),
        ('path,label\n"fight/f1,x\n', "not a CSV file in UTF-8"),
    ],
)
def test_one_clear_error(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        labels(tmp_path, text)
    assert str(tmp_path / "labels.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        labelled(MEMBERS, tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        labelled(MEMBERS, tmp_path)
