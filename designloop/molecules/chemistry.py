"""What a molecule is to this project: its identity, its numbers, its fingerprints, its alerts. RDKit and numpy only.

The public face of the chemistry: each concept has a module of its own beside this one.
"""

from __future__ import annotations

from designloop.molecules.acidity import acids, bases, ionisable_groups, strong_acids
from designloop.molecules.alerts import (
    ALERT_SETS,
    Pattern,
    alerts,
    check_alert_set,
    first_alert,
    first_reactive,
    first_unstable,
    reactive,
    reactive_patterns,
    unstable,
    unstable_patterns,
)
from designloop.molecules.crippen import crippen_logp
from designloop.molecules.descriptors import (
    DESCRIPTORS,
    descriptor,
    descriptor_meaning,
    descriptor_range,
    esol,
    framework,
    inchikey,
    sa_score,
    scaffold,
    scaffold_or_self,
)
from designloop.molecules.errors import MoleculeError
from designloop.molecules.fingerprints import FINGERPRINTS, count_fingerprints, fingerprint, fingerprints, tanimoto
from designloop.molecules.known_parts import first_unknown_group_pair, first_unknown_ring_system
from designloop.molecules.outline import Outline, outline_of
from designloop.molecules.parsing import canonical, parse, parse_all, parse_flat, require
from designloop.molecules.standardize import Mode, Stereo, identity, standard_form, standard_forms, without_stereo

__all__ = [
    "ALERT_SETS",
    "DESCRIPTORS",
    "FINGERPRINTS",
    "Mode",
    "MoleculeError",
    "Outline",
    "Pattern",
    "Stereo",
    "acids",
    "alerts",
    "bases",
    "canonical",
    "check_alert_set",
    "count_fingerprints",
    "crippen_logp",
    "descriptor",
    "descriptor_meaning",
    "descriptor_range",
    "esol",
    "fingerprint",
    "fingerprints",
    "first_alert",
    "first_reactive",
    "first_unknown_group_pair",
    "first_unknown_ring_system",
    "first_unstable",
    "framework",
    "identity",
    "inchikey",
    "ionisable_groups",
    "outline_of",
    "parse",
    "parse_all",
    "parse_flat",
    "reactive",
    "reactive_patterns",
    "require",
    "sa_score",
    "scaffold",
    "scaffold_or_self",
    "standard_form",
    "standard_forms",
    "strong_acids",
    "tanimoto",
    "unstable",
    "unstable_patterns",
    "without_stereo",
]
