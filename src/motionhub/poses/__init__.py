"""Keypoints of people in videos, and the repair of keypoints. `extract` is loaded from `extraction.py`."""

from motionhub.poses.extraction import extract as extract
from motionhub.poses.extraction import extract_clip as extract_clip
