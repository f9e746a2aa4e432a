"""Vital signs of a child that are a danger sign at its age.

High-risk heart and breathing rates by age of NICE NG254 (2025, sepsis under 16, following NG51 of 2016). Fever and
crying quicken the heart, so a heart rate counts alone only well above its limit, or at it together with the
breathing rate. Knows no words and decides nothing.
"""

from prescreen.clinic.case import Vitals

# Up to this age in years (exclusive): breathing rate and heart rate from which on a child is at high risk.
_BANDS = ((1, 60, 160), (3, 50, 150), (5, 40, 140), (6, 29, 130), (8, 27, 120), (12, 25, 115), (16, 25, 130))
_MARGIN = 15
_SLOW = 60  # below 12 years
_SPO2 = 92


def count_danger_signs(vitals: Vitals, age: float) -> int:
    """How many of heart rate, breathing rate and oxygen are in danger at this age; 0 from 16 years on."""
    band = next((band for band in _BANDS if age < band[0]), None)
    if band is None:
        return 0
    _, breaths, beats = band
    heart, breathing, spo2 = vitals.heart_rate, vitals.respiratory_rate, vitals.spo2
    fast_breathing = breathing is not None and breathing >= breaths
    fast_heart = heart is not None and heart >= beats + (0 if fast_breathing else _MARGIN)
    slow_heart = heart is not None and heart < _SLOW and age < 12
    return fast_breathing + fast_heart + slow_heart + (spo2 is not None and spo2 <= _SPO2)
