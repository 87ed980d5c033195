"""What people call the data sets: other names and spellings -> the reader's name, and the nearest one to a wrong name.

It does not know readers: the names there are, are handed over.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches


# Without case and punctuation. One reader may serve several editions (NTU 60 and 120): the files say which it is.
ALIASES = {
    "ntu": "ntu-rgbd",
    "ntu60": "ntu-rgbd",
    "ntu120": "ntu-rgbd",
    "ntud": "ntu-rgbd",
    "ntud60": "ntu-rgbd",
    "ntud120": "ntu-rgbd",
    "nturgb": "ntu-rgbd",
    "nturgbd60": "ntu-rgbd",
    "nturgbd120": "ntu-rgbd",
    "northwesternucla": "n-ucla",
    "nwucla": "n-ucla",
    "penn": "penn-action",
    "utd": "utd-mhad",
    "mhad": "utd-mhad",
    "prmd": "ui-prmd",
    "uiprmdkinect": "ui-prmd",
    "sbukinect": "sbu",
    "sbuinteraction": "sbu",
    "sbukinectinteraction": "sbu",
    "precog2016": "precog",
    "kinetics": "kinetics-skeleton",
    "kinetics400": "kinetics-skeleton",
    "kinetics400skeleton": "kinetics-skeleton",
    "uav": "uav-human",
    "toyota": "smarthome",
    "toyotasmarthome": "smarthome",
    "toyotasmarthome2d": "smarthome",
    "toyotasmarthome3d": "smarthome-3d",
    "smarthome2d": "smarthome",
    "posetics2d": "posetics",
    "pku": "pku-mmd",
    "pkummd1": "pku-mmd",
    "smarthomeuntrimmed": "tsu",
    "toyotasmarthomeuntrimmed": "tsu",
    "toyotasmarthomeuntrimmed3d": "tsu-3d",
    "bandai": "bandai-namco",
    "bandainamco2": "bandai-namco",
    "posecap1m": "posecap",
    "posecap1m3d": "posecap-3d",
}


def data_set_name(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` means: spelled otherwise, or an alias; None when it is none of them."""
    known = {_folded(each): each for each in names}
    alias = ALIASES.get(_folded(name))
    return known.get(_folded(name), alias if alias in known.values() else None)


def nearest_names(name: str, names: Iterable[str]) -> list[str]:
    """Up to three of `names` that look like `name`, or of which an alias does; the likeliest first."""
    known = ALIASES | {_folded(each): each for each in names}
    near = get_close_matches(_folded(name)[:80], known, n=6, cutoff=0.6)
    return list(dict.fromkeys(known[each] for each in near))[:3]


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())
