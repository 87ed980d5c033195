"""Who trains and who tests, as the authors of a data set (or, where they do not say, we) list them: pure data.

It does not know rows nor protocols (`splits.py`).
"""

# Shahroudy et al. 2016, section 4.2 (as listed by the UNIK and 2s-AGCN code): the training performers of NTU RGB+D 60.
NTU60_TRAIN_SUBJECTS = frozenset({1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38})
NTU60_TRAIN_CAMERAS = frozenset({2, 3})
# Liu et al. 2019: the training performers of NTU RGB+D 120, as several public codes list them (the same 53 in each);
# the paper itself was not at hand.
NTU120_TRAIN_SUBJECTS = NTU60_TRAIN_SUBJECTS | frozenset(
    {45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87), 89, *range(91, 96), 97, 98, 100, 103}
)
# Li et al. 2021: the training performers of UAV-Human's two cross-subject protocols, of 119 (0 to 118).
# fmt: off
UAV_TRAIN_SUBJECTS = (
    frozenset({
        0, 2, 5, 6, 7, 8, *range(10, 22), *range(25, 31), *range(32, 41), *range(42, 54), 55, 56, 57, 59,
        *range(61, 66), *range(67, 72), 73, *range(76, 91), 98, 100, 102, 103, 105, 106, 110, 111, 112,
        *range(114, 119),
    }),
    frozenset({
        0, 3, 4, 5, 6, 8, 10, 11, 12, 14, 16, *range(18, 23), 24, 26, *range(29, 33), *range(35, 41),
        *range(43, 48), 49, 52, 54, 56, 57, *range(59, 65), 66, 67, *range(69, 76), *range(77, 82), 83, 84,
        *range(86, 90), *range(91, 98), *range(99, 105), *range(106, 116), 117, 118,
    }),
)
# fmt: on
SMARTHOME_TRAIN_SUBJECTS = frozenset({3, 4, 6, 7, 9, 12, 13, 15, 17, 19, 25})
# The cross-view protocols' 19 classes in their own order: the tablet and the telephone change places.
SMARTHOME_CV_CLASSES = (
    *("Cutbread", "Drink.Frombottle", "Drink.Fromcan", "Drink.Fromcup", "Drink.Fromglass", "Eat.Attable", "Eat.Snack"),
    *("Enter", "Getup", "Leave", "Pour.Frombottle", "Pour.Fromcan", "Readbook", "Sitdown", "Takepills", "Uselaptop"),
    *("Usetablet", "Usetelephone", "Walk"),
)
# The five folds of the SBU authors' cross-validation, by the folders of performer pairs (first, second).
SBU_FOLDS = (
    frozenset({(1, 2), (3, 4), (5, 2), (6, 4)}),
    frozenset({(2, 3), (2, 7), (3, 5), (5, 3)}),
    frozenset({(1, 3), (1, 7), (7, 1), (7, 3)}),
    frozenset({(2, 1), (2, 6), (3, 2), (3, 6)}),
    frozenset({(4, 2), (4, 3), (4, 6), (6, 2), (6, 3)}),
)
# By style: clips of one style are near copies of each other, so a random choice of clips leaks.
BANDAI_TEST_STYLES = frozenset({"exhausted", "masculine", "youthful"})
