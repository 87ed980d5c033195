"""Reads Kinetics-skeleton clips: one JSON a clip, up to five OpenPose detections a frame.

It does not know the videos. Detections carry no identity: `skeletons/tracking.py` finds who is who.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.detections import Detection, clip_of
from motionhub.data.formats.json_content import list_of, load_json, number_array
from motionhub.data.formats.options import ReadOptions
from motionhub.data.formats.reader import ClipFacts, Reader, bad_file
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


# The classes of Kinetics-400 in the order of `label_index`.
_NAMES = """
abseiling; air drumming; answering questions; applauding; applying cream; archery; arm wrestling; arranging
flowers; assembling computer; auctioning; baby waking up; baking cookies; balloon blowing; bandaging;
barbequing; bartending; beatboxing; bee keeping; belly dancing; bench pressing; bending back; bending metal;
biking through snow; blasting sand; blowing glass; blowing leaves; blowing nose; blowing out candles;
bobsledding; bookbinding; bouncing on trampoline; bowling; braiding hair; breading or breadcrumbing;
breakdancing; brush painting; brushing hair; brushing teeth; building cabinet; building shed; bungee jumping;
busking; canoeing or kayaking; capoeira; carrying baby; cartwheeling; carving pumpkin; catching fish; catching
or throwing baseball; catching or throwing frisbee; catching or throwing softball; celebrating; changing oil;
changing wheel; checking tires; cheerleading; chopping wood; clapping; clay pottery making; clean and jerk;
cleaning floor; cleaning gutters; cleaning pool; cleaning shoes; cleaning toilet; cleaning windows; climbing a
rope; climbing ladder; climbing tree; contact juggling; cooking chicken; cooking egg; cooking on campfire;
cooking sausages; counting money; country line dancing; cracking neck; crawling baby; crossing river; crying;
curling hair; cutting nails; cutting pineapple; cutting watermelon; dancing ballet; dancing charleston; dancing
gangnam style; dancing macarena; deadlifting; decorating the christmas tree; digging; dining; disc golfing;
diving cliff; dodgeball; doing aerobics; doing laundry; doing nails; drawing; dribbling basketball; drinking;
drinking beer; drinking shots; driving car; driving tractor; drop kicking; drumming fingers; dunking basketball;
dying hair; eating burger; eating cake; eating carrots; eating chips; eating doughnuts; eating hotdog; eating
ice cream; eating spaghetti; eating watermelon; egg hunting; exercising arm; exercising with an exercise ball;
extinguishing fire; faceplanting; feeding birds; feeding fish; feeding goats; filling eyebrows; finger snapping;
fixing hair; flipping pancake; flying kite; folding clothes; folding napkins; folding paper; front raises;
frying vegetables; garbage collecting; gargling; getting a haircut; getting a tattoo; giving or receiving award;
golf chipping; golf driving; golf putting; grinding meat; grooming dog; grooming horse; gymnastics tumbling;
hammer throw; headbanging; headbutting; high jump; high kick; hitting baseball; hockey stop; holding snake;
hopscotch; hoverboarding; hugging; hula hooping; hurdling; hurling (sport); ice climbing; ice fishing; ice
skating; ironing; javelin throw; jetskiing; jogging; juggling balls; juggling fire; juggling soccer ball;
jumping into pool; jumpstyle dancing; kicking field goal; kicking soccer ball; kissing; kitesurfing; knitting;
krumping; laughing; laying bricks; long jump; lunge; making a cake; making a sandwich; making bed; making
jewelry; making pizza; making snowman; making sushi; making tea; marching; massaging back; massaging feet;
massaging legs; massaging person's head; milking cow; mopping floor; motorcycling; moving furniture; mowing
lawn; news anchoring; opening bottle; opening present; paragliding; parasailing; parkour; passing American
football (in game); passing American football (not in game); peeling apples; peeling potatoes; petting animal
(not cat); petting cat; picking fruit; planting trees; plastering; playing accordion; playing badminton; playing
bagpipes; playing basketball; playing bass guitar; playing cards; playing cello; playing chess; playing
clarinet; playing controller; playing cricket; playing cymbals; playing didgeridoo; playing drums; playing
flute; playing guitar; playing harmonica; playing harp; playing ice hockey; playing keyboard; playing kickball;
playing monopoly; playing organ; playing paintball; playing piano; playing poker; playing recorder; playing
saxophone; playing squash or racquetball; playing tennis; playing trombone; playing trumpet; playing ukulele;
playing violin; playing volleyball; playing xylophone; pole vault; presenting weather forecast; pull ups;
pumping fist; pumping gas; punching bag; punching person (boxing); push up; pushing car; pushing cart; pushing
wheelchair; reading book; reading newspaper; recording music; riding a bike; riding camel; riding elephant;
riding mechanical bull; riding mountain bike; riding mule; riding or walking with horse; riding scooter; riding
unicycle; ripping paper; robot dancing; rock climbing; rock scissors paper; roller skating; running on
treadmill; sailing; salsa dancing; sanding floor; scrambling eggs; scuba diving; setting table; shaking hands;
shaking head; sharpening knives; sharpening pencil; shaving head; shaving legs; shearing sheep; shining shoes;
shooting basketball; shooting goal (soccer); shot put; shoveling snow; shredding paper; shuffling cards; side
kick; sign language interpreting; singing; situp; skateboarding; ski jumping; skiing (not slalom or
crosscountry); skiing crosscountry; skiing slalom; skipping rope; skydiving; slacklining; slapping; sled dog
racing; smoking; smoking hookah; snatch weight lifting; sneezing; sniffing; snorkeling; snowboarding;
snowkiting; snowmobiling; somersaulting; spinning poi; spray painting; spraying; springboard diving; squat;
sticking tongue out; stomping grapes; stretching arm; stretching leg; strumming guitar; surfing crowd; surfing
water; sweeping floor; swimming backstroke; swimming breast stroke; swimming butterfly stroke; swing dancing;
swinging legs; swinging on something; sword fighting; tai chi; taking a shower; tango dancing; tap dancing;
tapping guitar; tapping pen; tasting beer; tasting food; testifying; texting; throwing axe; throwing ball;
throwing discus; tickling; tobogganing; tossing coin; tossing salad; training dog; trapezing; trimming or
shaving beard; trimming trees; triple jump; tying bow tie; tying knot (not on a tie); tying tie; unboxing;
unloading truck; using computer; using remote controller (not gaming); using segway; vault; waiting in line;
walking the dog; washing dishes; washing feet; washing hair; washing hands; water skiing; water sliding;
watering plants; waxing back; waxing chest; waxing eyebrows; waxing legs; weaving basket; welding; whistling;
windsurfing; wrapping present; wrestling; writing; yawning; yoga; zumba
"""
CLASS_NAMES = tuple(name.strip() for name in _NAMES.replace("\n", " ").split(";"))
FPS = 30.0
NUM_JOINTS = 18
MAX_PEOPLE = 5
_PREFIX = "kinetics_skeleton_"
# Folder names of the published archive -> whether its clips train.
_FOLDERS = {"kinetics_train": 1, "kinetics_val": 0}


def _load(path: Path) -> dict[str, Any]:
    clip = load_json(path)
    if not isinstance(clip, dict) or "data" not in clip:
        got = f"keys {list(clip)[:8]}" if isinstance(clip, dict) else f"a {type(clip).__name__}"
        raise bad_file(path, "JSON", f"expected an object with 'data', 'label' and 'label_index', got {got}.")
    return clip


def _person(path: Path, place: str, person: dict[str, Any]) -> Detection:
    """x and y are NaN where the score is 0."""
    pose = number_array(path, f"{place}.pose", person.get("pose"))
    score = number_array(path, f"{place}.score", person.get("score"))
    if pose.shape != (2 * NUM_JOINTS,) or score.shape != (NUM_JOINTS,):
        expected = f"expected {2 * NUM_JOINTS} numbers in 'pose' and {NUM_JOINTS} in 'score'"
        raise bad_file(path, place, f"{expected}, got shapes {pose.shape} and {score.shape}.")
    points = np.where(score[:, None] > 0, pose.reshape(NUM_JOINTS, 2), np.nan)
    return Detection(points, np.where(score > 0, score, 0.0))


def _people(path: Path, index: int, frame: dict[str, Any]) -> list[Detection]:
    place = f"data[{index}].skeleton"
    people = list_of(path, place, frame.get("skeleton"), dict)
    if len(people) > MAX_PEOPLE:
        raise bad_file(path, place, f"expected at most {MAX_PEOPLE} people, got {len(people)}.")
    return [_person(path, f"{place}[{number}]", person) for number, person in enumerate(people)]


def _positions(path: Path, frames: list[dict[str, Any]]) -> list[int]:
    """Where each frame lies in the clip: the published files list every one, a number left out is an empty frame."""
    numbers = [frame.get("frame_index") for frame in frames]
    whole = [number for number in numbers if type(number) is int and 0 <= number < 2**31]
    if len(whole) < len(numbers) or any(after <= before for before, after in pairwise(whole)):
        raise bad_file(path, "frame_index", "expected whole numbers that grow from frame to frame.")
    if whole[-1] - whole[0] > 100 * len(whole) + 10_000:
        raise bad_file(path, "frame_index", f"{len(whole)} frames are numbered from {whole[0]} to {whole[-1]}.")
    return [number - whole[0] for number in whole]


def read(path: Path) -> list[SkeletonSequence]:
    """`(people, num_frames, 18, 2)` in 0..1 of the image's width and height, y down, and the scores as confidence.

    A joint with score 0 is missing. People are followed through the frames by their keypoints alone; whoever is out of
    sight for a second comes back as somebody new. A clip without anybody has zero people.
    """
    frames = list_of(path, "data", _load(path)["data"], dict)
    if not frames:
        raise bad_file(path, "data", "the clip has no frames.")
    positions = _positions(path, frames)
    people: list[list[Detection]] = [[] for _ in range(positions[-1] + 1)]
    for index, frame in enumerate(frames):
        people[positions[index]] = _people(path, index, frame)
    return [clip_of(path, people, ReadOptions(), get_layout("openpose-18"), fps=FPS, unit="normalised")]


def annotate(path: Path) -> ClipFacts:
    """Label from the content; `setup` from the folder: 1 in `kinetics_train`, 0 in `kinetics_val`."""
    clip = _load(path)
    label = clip.get("label_index")
    if type(label) is not int or not 0 <= label < len(CLASS_NAMES):
        raise bad_file(path, "label_index", f"expected 0..{len(CLASS_NAMES) - 1}, got {str(label)[:40]}.")
    setup = _FOLDERS.get(path.absolute().parent.name)
    return ClipFacts(label, None, None, setup, clip_id=path.stem.removeprefix(_PREFIX))


def matches(path: Path, head: bytes) -> bool:
    return head.lstrip().startswith(b"{") and b'"data"' in head and b'"frame_index"' in head and b'"skeleton"' in head


READER = Reader(
    name="kinetics-skeleton",
    title="Kinetics-skeleton (ST-GCN)",
    matches=matches,
    read=read,
    annotate=annotate,
    is_clip=lambda path: not path.stem.endswith("_label"),
    pattern="*.json",
    generic_names=True,
    container="json",
    signature='JSON object with "data" (frames with "frame_index", "skeleton": pose, score), "label", "label_index"',
    layout="openpose-18",
    fps=FPS,
    fps_source="the authors brought all videos to 30 frames per second before they ran OpenPose",
    unit="normalised",
    class_names=CLASS_NAMES,
    missing_joints="a joint with score 0, or of a person absent from the frame, becomes missing",
    licence="research use; poses estimated on videos from the web, no licence text comes with the files",
    homepage="https://github.com/yysijie/st-gcn",
    citation="Yan, Xiong, Lin: Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition. "
    "AAAI 2018. Kay et al.: The Kinetics Human Action Video Dataset. arXiv 1705.06950.",
    provenance="Read from the authors' files; coordinates and scores are theirs, who is who from frame to frame is "
    "motionhub's finding",
    remarks="The detections of a frame have no identity; motionhub followed people on their keypoints alone, and "
    "there are as many people as tracks, often more than are seen at once",
    column_notes={
        "setup": "1 training clip, 0 validation clip, by the folder it lies in",
        "subject": "unknown in this data set (-1)",
        "camera": "unknown in this data set (-1)",
    },
)
