"""Scores of a video in words: softmax of cosines of the model's own two halves; encoded once; bad videos refused."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from motionhub.models.vi_clip import ViClipConfig, ViClipModel
from motionhub.pipelines.video_scores import VideoScores, scores_of_video
from motionhub.processing.video_clip import VideoClipProcessor


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny ViCLIP with a tokenizer of letters."""
    from transformers import CLIPTokenizer

    root = tmp_path_factory.mktemp("viclip")
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["!", *letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    CLIPTokenizer(vocab=vocabulary, merges=[], pad_token="!").save_pretrained(root)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "projection_dim": 6}
    torch.manual_seed(0)
    vision = {**sizes, "image_size": 32, "patch_size": 16}
    ViClipModel(ViClipConfig(vision_config=vision, text_config={**sizes, "vocab_size": 56})).save_pretrained(root)
    VideoClipProcessor(num_frames=4, image_size=32).save_pretrained(root)
    return root


def video(frames: int = 9) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (frames, 40, 48, 3), dtype=np.uint8)


def test_scores_are_the_softmax_of_the_models_own_cosines_in_the_order_of_the_labels(folder):
    from transformers import AutoTokenizer

    labels = ["wave", "sit down", "jump"]
    model = ViClipModel.from_pretrained(folder).eval()
    pixels = VideoClipProcessor.from_pretrained(folder)(video())["pixel_values"]
    tokens = AutoTokenizer.from_pretrained(folder)(labels, padding="max_length", max_length=32, return_tensors="pt")
    with torch.no_grad():
        seen = functional.normalize(model.get_video_features(pixels), dim=-1)
        said = functional.normalize(model.get_text_features(tokens["input_ids"]), dim=-1)
    scores = VideoScores(str(folder))(video(), labels)
    np.testing.assert_allclose(scores, (100 * seen @ said.T).softmax(-1)[0], atol=1e-5)
    turned = VideoScores(str(folder))(video(), labels[::-1])
    np.testing.assert_allclose(turned, scores[::-1], atol=1e-6)


def test_a_label_set_is_encoded_once_however_many_videos_are_scored(folder, monkeypatch):
    scores, labels = VideoScores(str(folder)), [f"label {letter}" for letter in "abcdefgh"]
    loaded, encoded = scores.texts._load(), []
    whole = loaded.embed
    monkeypatch.setattr(loaded, "embed", lambda texts: encoded.extend(texts) or whole(texts))
    for _ in range(3):
        assert scores(video(), labels).sum() == pytest.approx(1, abs=1e-5)
    assert sorted(encoded) == labels


def test_files_are_scored_as_their_frames_are(folder, tmp_path):
    pytest.importorskip("av", reason='needs pip install "motionhub[video]"')
    from small_videos import greys, write_video

    from motionhub.data.video.reader import open_video

    path = write_video(tmp_path / "clip.mp4", greys(9))
    frames = np.stack([frame.image for frame in open_video(path).frames()])
    scores = VideoScores(str(folder))
    np.testing.assert_allclose(scores(path, ["sit", "run"]), scores(frames, ["sit", "run"]), atol=1e-5)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match="cannot be read as video"):
        scores(tmp_path / "broken.mp4", ["sit"])


def test_what_cannot_be_scored_is_refused(folder):
    scores = VideoScores(str(folder))
    with pytest.raises(ValueError, match="without frames"):
        scores(np.zeros((0, 40, 48, 3), np.uint8), ["sit"])
    with pytest.raises(ValueError, match="at least one label"):
        scores(video(), [])
    with pytest.raises(ValueError, match="something in them"):
        scores(video(), ["sit", " "])
    with pytest.raises(ValueError, match="temperature must be above 0"):
        VideoScores(str(folder), temperature=0)


def test_a_tower_looks_at_the_input_where_that_is_a_video(folder, tmp_path):
    pytest.importorskip("av", reason='needs pip install "motionhub[video]"')
    from small_videos import greys, write_video

    path, labels = write_video(tmp_path / "clip.mp4", greys(9)), ["sit", "run"]
    expected = VideoScores(str(folder))(path, labels)
    for tower in (str(folder), {"kind": "viclip", "name": str(folder)}, VideoScores(str(folder))):
        np.testing.assert_allclose(scores_of_video(str(path), labels, tower=tower), expected, atol=1e-6)
    assert scores_of_video("clip.json", labels) is None
    assert scores_of_video("clip.json", labels, given=[0.1, 0.9]) == [0.1, 0.9]
    with pytest.raises(ValueError, match="got 'clip.json'"):
        scores_of_video("clip.json", labels, tower=str(folder))
    with pytest.raises(ValueError, match="not both"):
        scores_of_video(str(path), labels, given=[0.1, 0.9], tower=str(folder))
