"""The log of a campaign: what is said is noted, and a disk that takes no more ends the run as resumable."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest

from designloop.exit_codes import BAD_INPUT, DEFECT, RESUMABLE, exit_code
from designloop.loop.logbook import FILE, Book, logbook
from designloop.tables import TableError
from designloop.tables.errors import DiskError
from designloop.tables.ledger_file import LedgerDiskError, LedgerError

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")


def end(book: Book) -> None:
    book.say("both")
    book.note("the log alone")
    raise ValueError("the end")


def test_what_is_said_and_noted_is_written_and_what_is_said_is_heard(tmp_path: Path) -> None:
    heard: list[str] = []
    with pytest.raises(ValueError, match="the end"), logbook(tmp_path, heard.append) as book:
        end(book)
    lines = (tmp_path / FILE).read_text().splitlines()
    assert [line.split(" INFO ")[-1] for line in lines[:2]] == ["both", "the log alone"]
    assert lines[2].endswith("ERROR stopped: the end")
    assert heard == ["both"]


def test_what_a_part_warns_of_is_said_too_and_what_ends_the_run_is_not(tmp_path: Path) -> None:
    heard: list[str] = []
    logger = logging.getLogger("designloop")

    def warn_and_end(book: Book) -> None:
        logger.warning("waiting for %s", "a CPU")
        logger.info("for the log")
        end(book)

    with pytest.raises(ValueError, match="the end"), logbook(tmp_path, heard.append) as book:
        warn_and_end(book)
    assert heard == ["waiting for a CPU", "both"]
    logger.warning("nobody listens any more")
    assert len(heard) == 2
    assert " WARNING waiting for a CPU" in (tmp_path / FILE).read_text()


@needs_full
def test_a_log_on_a_full_disk_ends_the_run_which_can_be_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).symlink_to("/dev/full")
    with (
        pytest.raises(
            DiskError, match=rf"{FILE} cannot be written to .*No space left.*give the same command again"
        ) as caught,
        logbook(tmp_path, lambda line: None) as book,
    ):
        book.say("starting")
    assert exit_code(caught.value) == RESUMABLE
    assert capsys.readouterr() == ("", ""), "no traceback of logging's own"


@needs_full
@pytest.mark.parametrize("first", [ValueError("first"), KeyboardInterrupt()])
def test_what_ended_the_run_is_told_though_the_log_fails_too(tmp_path: Path, first: BaseException) -> None:
    (tmp_path / FILE).symlink_to("/dev/full")
    with pytest.raises(type(first)), logbook(tmp_path, lambda line: None):
        raise first


def test_a_log_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    why = rf"{FILE} cannot be written to .*Make it writable, or move it away"
    with pytest.raises(TableError, match=why), logbook(tmp_path, lambda line: None):
        pass


def test_no_room_is_resumable_wherever_it_was_wanted() -> None:
    assert exit_code(OSError(errno.ENOSPC, "No space left on device")) == RESUMABLE
    assert exit_code(LedgerDiskError("full")) == RESUMABLE
    assert exit_code(LedgerError("damaged")) == exit_code(TableError("damaged")) == BAD_INPUT
    assert exit_code(OSError(errno.EACCES, "Permission denied")) == DEFECT
