"""What `motionhub export` refuses, before it traces or writes anything."""

import pytest
from test_model_contract import SKELETON_MODELS, make

from motionhub import SkeletonProcessor
from motionhub.export.folder import export_checkpoint
from motionhub.export.graphs import takes_any_frames


RETARGETING = [each for each in SKELETON_MODELS if each[1].__name__.endswith("ForMotionRetargeting")]


@pytest.mark.parametrize(("family", "model_class"), RETARGETING, ids=lambda value: getattr(value, "__name__", "of"))
def test_retargeting_takes_two_clips_and_the_error_names_the_call(family, model_class, tmp_path):
    processor = SkeletonProcessor(layout="coco-17")
    with pytest.raises(ValueError, match=r"onto the body of another.*motionhub\.export\.graphs\.exported\(model"):
        export_checkpoint(make(family, model_class), processor, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_frames_are_open_where_every_layer_takes_any_number_and_memory_is_not_planned():
    found = {model.__name__ for family, model in SKELETON_MODELS if takes_any_frames(make(family, model).config)}
    assert {"UnikModel", "AgcnModel", "StGcnModel", "TcnModel", "TMorModel"} <= found
    assert not [name for name in found if name.startswith(("Lac", "CvMim", "MovementQuality", "Via", "RetargetNet"))]
    assert not any(takes_any_frames(make(*each).config, "executorch") for each in SKELETON_MODELS)
