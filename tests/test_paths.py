"""Names that can be no path name nothing, and nothing is raised."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from designloop import paths
from designloop.exit_codes import BAD_INPUT, DEFECT, exit_code

LOOKS = (paths.is_file, paths.is_folder, paths.exists)


@pytest.mark.parametrize("name", ["C" * 300, "C" * 10_000, "a\0b", "x/" * 3000, "not_utf8_\udcff", ""])
def test_a_word_that_can_be_no_path_names_nothing(tmp_path: Path, name: str) -> None:
    place = tmp_path / "below" / name
    assert [look(place) for look in LOOKS] == [False, False, False]


def test_what_is_there_is_seen(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [look(tmp_path / "file") for look in LOOKS] == [True, False, True]
    assert [look(str(tmp_path)) for look in LOOKS] == [False, True, True]
    (tmp_path / "loop").symlink_to("loop")
    assert [look(tmp_path / "loop") for look in LOOKS] == [False, False, False]


def test_the_real_path_of_what_leads_nowhere_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "link").symlink_to("file")
    assert paths.real(tmp_path / "circle") == tmp_path / "circle"
    assert paths.real(tmp_path / "link") == tmp_path / "file"
    assert paths.real("a\0b") == Path.cwd() / "a\0b"


def test_a_file_of_the_users_that_may_not_be_touched_is_bad_input_and_no_defect() -> None:
    for number in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP):
        assert exit_code(OSError(number, "no", "mine.csv")) == BAD_INPUT
        assert exit_code(OSError(number, "no")) == DEFECT, "it names nothing"
    assert exit_code(OSError(errno.EBADF, "no", "mine.csv")) == DEFECT
