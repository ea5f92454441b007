"""All cases of odd inputs, table by table."""

from __future__ import annotations

from designloop.testing import odd_answers, odd_campaigns, odd_files, odd_habits, odd_imports, odd_settings, odd_tables
from designloop.testing.odd_campaigns import CampaignCase
from designloop.testing.odd_files import FileCase
from designloop.testing.odd_oracles import OracleCase, mischief_cases


def file_cases(repeats: int = 3) -> list[FileCase]:
    """Files of molecules: in every way of writing them, by hand, and damaged at so many places."""
    by_hand = (*odd_files.PATHS, *odd_tables.REFUSED_FILES, *odd_tables.ODD_FILES)
    return [*odd_files.well_formed(), *by_hand, *odd_files.damaged(repeats)]


def oracle_cases() -> list[OracleCase]:
    """Files with an oracle."""
    answers = (*odd_answers.ANSWERS, *odd_answers.DOINGS)
    return [*mischief_cases(), *odd_imports.IMPORTS, *answers, *odd_habits.FORMS, *odd_habits.LEFT]


def campaign_cases() -> list[CampaignCase]:
    """Campaign files."""
    right = CampaignCase("right", odd_campaigns.MINIMAL)
    return [right, *odd_campaigns.PATHS, *odd_settings.YAML, *odd_settings.SETTINGS]
