"""Anomaly detection, beside detectors of another library."""
