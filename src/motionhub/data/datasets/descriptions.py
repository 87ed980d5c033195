"""Sentences that people wrote about motions, brought to what joints can show: "wave the hand", not who does it."""

import re


# Longer texts are stories, and texts with addresses or markup were not written about a motion.
LONGEST = 120
_PERSON = r"(?:person|human|man|woman|boy|girl|child|subject|actor|dancer|figure|character|guy|lady|people|individual)"
_PRONOUN = r"(?:someone|somebody|he|she|they|it|this one)"
_SUBJECT = re.compile(
    rf"^(?:(?:a|an|the|one|this|that|two|three)\s+(?:\w+\s+)?{_PERSON}s?|{_PERSON}|{_PRONOUN})"
    r"(?:\s+(?:who|that))?(?:\s+(?:is|are|was|were|has|have|seems to|appears to|starts to|begins to))?\s+",
    re.IGNORECASE,
)
_HOW_WELL = re.compile(r"\s+as \w+ as (?:you|he|she|they|possible)(?: can)?\b", re.IGNORECASE)
_NOT_WORDS = re.compile(r"<[^>]*>|https?:|www\.", re.IGNORECASE)
# Labels that say how a recording was made, or nothing.
_SAYS_NOTHING = re.compile(
    r"\b(?:human subject|random|range of motion|calibration|t-pose|vacation|longsequence\w*|untitled|take \d+)\b",
    re.IGNORECASE,
)


def canonical_description(text: str) -> str | None:
    """The text without its subject, brackets and final stop; None where it describes no motion.

    Examples:
        >>> canonical_description("A person is waving with the left hand.")
        'waving with the left hand'
        >>> canonical_description("walk/run (fast)")
        'walk, run'
        >>> canonical_description("see <a href='http://x'>this page</a>") is None
        True
    """
    if len(text) > LONGEST or _NOT_WORDS.search(text) or _SAYS_NOTHING.search(text):
        return None
    plain = _HOW_WELL.sub("", re.sub(r"\([^)]*\)", " ", text.replace("_", " ")))
    plain = re.sub(r"\s*[/;]\s*", ", ", plain)
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    plain = _SUBJECT.sub("", " ".join(plain.split())).strip(" .,:!-").lower()
    return plain if re.search(r"[a-z]{2}", plain) else None
