"""Layouts, sequences and what can be done to them in NumPy. It does not know files, models or tensors."""

from motionhub.skeletons.convert import ConversionReport, conversion_weights, convert_layout, resample
from motionhub.skeletons.graph import adjacency_subsets, bone_stream, velocity_stream
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS, get_layout, load_layout
from motionhub.skeletons.sequence import UNITS, SkeletonSequence


__all__ = [
    "LAYOUTS",
    "UNITS",
    "ConversionReport",
    "SkeletonLayout",
    "SkeletonSequence",
    "adjacency_subsets",
    "bone_stream",
    "conversion_weights",
    "convert_layout",
    "get_layout",
    "load_layout",
    "resample",
    "velocity_stream",
]
