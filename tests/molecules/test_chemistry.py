"""The public face of the chemistry."""

from __future__ import annotations

from designloop.molecules import chemistry

PROMISED = """
ALERT_SETS DESCRIPTORS FINGERPRINTS Mode MoleculeError Stereo alerts canonical count_fingerprints descriptor esol
fingerprint fingerprints identity inchikey parse parse_all sa_score scaffold standard_form standard_forms tanimoto
unstable unstable_patterns reactive reactive_patterns first_reactive first_unknown_group_pair first_unknown_ring_system
without_stereo
"""


def test_all_names_are_there_and_listed():
    assert set(PROMISED.split()) <= set(chemistry.__all__)
    for name in chemistry.__all__:
        assert getattr(chemistry, name) is not None


def test_errors_are_value_errors():
    assert issubclass(chemistry.MoleculeError, ValueError)
