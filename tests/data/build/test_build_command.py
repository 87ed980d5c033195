"""`motionhub dataset build`: exit status, going on, images, terms of the data, and zips that do not fit."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from datasets import load_dataset
from helpers import card_metadata, read_json, write_json

from motionhub.cli.main import main
from motionhub.data.build.build import save_dataset, save_dataset_report
from motionhub.data.build.dataset_card import is_open
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.licences import hub_licence
from motionhub.data.datasets.reading import read
from motionhub.data.synthetic.dataset import LICENCE, save_generated
from motionhub.hub.push import check_dataset_card


@pytest.fixture
def raw(tmp_path, write_nucla):
    """Ten classes, two subjects, one view."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for subject in (1, 2):
        for label in range(1, 11):
            write_nucla(f"a01_s{subject:02d}_e{label:02d}_v01", label=label, folder=folder)
    return folder


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


def build(*words):
    return main(["dataset", "build", *map(str, words), "--expect", "subset"])


def test_all_read_is_0_some_broken_is_1_nothing_is_2(raw, tmp_path, capsys):
    assert build("n-ucla", "--raw", raw, "--out", tmp_path / "whole", "--num_proc", 2) == 0
    assert "20 clips of 20 files" in capsys.readouterr().out
    (raw / "a01_s01_e03_v01.json").write_text("{")
    assert build("n-ucla", "--raw", raw, "--out", tmp_path / "most") == 1
    shown = capsys.readouterr()
    assert "19 clips of 19 files" in shown.out
    assert "1 of 20 files are broken" in shown.err and "a01_s01_e03_v01.json" in shown.err
    assert "(--strict stops at the first)" in shown.err
    assert "| total | 19 |" in (tmp_path / "most" / "README.md").read_text()
    assert build("n-ucla", "--raw", raw, "--out", tmp_path / "none", "--strict") == 2
    assert "a01_s01_e03_v01.json: line 1" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert build("n-ucla", "--raw", raw, "--out", tmp_path / "most") == 2


def test_a_changed_file_is_named_when_a_build_resumes(raw, tmp_path, monkeypatch):
    def killed(*arguments, **options):
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr("motionhub.data.build.build.merge", killed)
        with pytest.warns(UserWarning, match="the same call continues"), pytest.raises(KeyboardInterrupt):
            save_dataset("n-ucla", raw, out)
    assert not out.exists()
    path = raw / "a01_s02_e10_v01.json"
    content = read_json(path)
    content["skeletons"] = content["skeletons"][:2]
    write_json(path, content)
    with pytest.warns(UserWarning, match=r"read again: a01_s02_e10_v01.json \(changed\)$"):
        save_dataset("n-ucla", raw, out)
    frames = {row["clip_id"]: row["num_frames"] for row in load_dataset(str(out), "full", split="full")}
    assert frames.pop(path.stem) == 2 and set(frames.values()) == {4}


def test_a_zip_resumes_too(raw, tmp_path, monkeypatch):
    archive, out = zipped(raw, tmp_path / "raw.zip"), tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr("motionhub.data.build.build.merge", None)
        with pytest.warns(UserWarning, match="continues"), pytest.raises(TypeError):
            save_dataset("n-ucla", archive, out)
    monkeypatch.setattr("motionhub.data.build.build.read_file", lambda *words: pytest.fail("read again"))
    assert save_dataset_report("n-ucla", archive, out).num_clips == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw", "raw.zip"]


def test_two_builds_of_one_folder_do_not_meet(raw, tmp_path):
    state = tmp_path / ".out.building"
    state.mkdir()
    code = (
        f"from filelock import FileLock; lock = FileLock({str(state / 'lock')!r}).acquire(); "
        "print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="another process is building it"):
            save_dataset("n-ucla", raw, tmp_path / "out")
        other.kill()
    save_dataset("n-ucla", raw, tmp_path / "out")


def test_the_card_shows_the_layout(raw, tmp_path):
    pytest.importorskip("matplotlib")
    assert build("n-ucla", "--raw", raw, "--out", tmp_path / "out") == 0
    assert (tmp_path / "out" / "layout.png").read_bytes().startswith(b"\x89PNG")
    assert "![The joints of kinect-20](layout.png)" in (tmp_path / "out" / "README.md").read_text()


def test_only_open_licences_let_clips_be_published():
    # PRECOG's files say MIT; the others name research, an agreement, or no terms at all.
    assert is_open(DATASETS["precog"])
    closed = ("ntu-rgbd", "n-ucla", "pku-mmd", "smarthome", "uav-human", "penn-action", "utd-mhad", "posetics", "sbu")
    assert not [name for name in closed if is_open(DATASETS[name])]


def test_the_card_of_closed_data_holds_the_recipe_and_no_clips(raw, tmp_path):
    out = save_dataset("n-ucla", raw, tmp_path / "out")
    assert "**Not to be published.**" in (out / "README.md").read_text()
    text = (out / "recipe" / "README.md").read_text()
    assert "motionhub dataset build n-ucla --raw" in text and DATASETS["n-ucla"].homepage in text
    assert "| total | 20 |" in text
    data = yaml.safe_load(text.split("---\n")[1])
    assert "configs" not in data and "dataset_info" not in data and data["license"] == "other"
    assert [path.name for path in (out / "recipe").iterdir()] == ["README.md"]


def test_a_licence_that_the_hub_knows_is_the_cards_licence(tmp_path):
    ids = {"precog": "mit", "bandai-namco": "cc-by-nc-4.0", "n-ucla": None, "posecap": None, "folder": None}
    assert {name: hub_licence(DATASETS[name].licence) for name in ids} == ids
    texts = {"CC-BY-4.0": "cc-by-4.0", "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0", "ODbL-1.0": "odbl", "CC0": "cc0-1.0"}
    assert {text: hub_licence(text) for text in texts} == texts
    save_generated(tmp_path / "made", 1)
    assert card_metadata(tmp_path / "made")["license"] == hub_licence(LICENCE) == "cc0-1.0"


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    for name in ("wave", "fall"):
        (folder / name).mkdir(parents=True)
        np.savez(folder / name / "1.npz", keypoints=np.ones((1, 4, 17, 2)))
    write_json(folder / "pose_options.json", {"layout": "coco-17", "fps": 10, "unit": "pixel"})
    return folder


def test_own_clips_carry_the_licence_of_their_owner(mine, tmp_path, capsys):
    words = ["--licence", "cc-by-4.0", "--homepage", "https://example.org/mine", "--citation", "Me: Mine. 2030."]
    assert build("folder", "--raw", mine, "--out", tmp_path / "own", *words) == 0
    text = (tmp_path / "own" / "README.md").read_text()
    metadata = card_metadata(tmp_path / "own")
    assert metadata["license"] == "cc-by-4.0" and "license_name" not in metadata
    assert "cc-by-4.0. Home page: https://example.org/mine\n\nMe: Mine. 2030." in text and "Not to be pub" not in text
    assert not (tmp_path / "own" / "recipe").exists()
    rows = load_dataset(str(tmp_path / "own"), "full", split="full", cache_dir=str(tmp_path / "cache"))
    assert set(rows["licence"]) == {"cc-by-4.0"}
    check_dataset_card(tmp_path / "own")


def test_own_clips_without_a_licence_are_told_to_say_one(mine, tmp_path):
    assert build("folder", "--raw", mine, "--out", tmp_path / "own") == 0
    assert "license" not in card_metadata(tmp_path / "own") and not (tmp_path / "own" / "recipe").exists()
    assert "No licence is stated" in (tmp_path / "own" / "README.md").read_text()
    with pytest.raises(ValueError, match="license: .*--licence"):
        check_dataset_card(tmp_path / "own")


def test_the_owners_words_open_unless_they_forbid(mine, tmp_path, capsys):
    home = ["--homepage", "https://example.org"]
    for number, (words, is_closed) in enumerate({"ours, ask us": False, "research, no redistribution": True}.items()):
        out = tmp_path / str(number)
        assert build("folder", "--raw", mine, "--out", out, "--licence", words, *home) == 0
        assert (out / "recipe").exists() == is_closed and card_metadata(out)["license_link"] == "https://example.org"
    capsys.readouterr()
    assert build("folder", "--raw", mine, "--out", tmp_path / "x", "--licence", "ours, ask us") == 2
    assert "--homepage" in capsys.readouterr().err
    assert build("folder", "--raw", mine, "--out", tmp_path / "x", *home) == 2
    assert "--licence" in capsys.readouterr().err and not (tmp_path / "x").exists()


def test_the_licence_of_others_cannot_be_changed(raw, tmp_path, capsys):
    assert build("n-ucla", "--raw", raw, "--out", tmp_path / "out", "--licence", "mit") == 2
    assert "its authors set" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_card_says_whose_files_were_read(raw, mine, tmp_path):
    """N-UCLA's own files; UI-PRMD's are a repack of positions, not the authors' angles."""
    said = {"n-ucla": "Read from the authors' files", "ui-prmd": "Not read from the authors' text", "folder": "owner"}
    roots = {"n-ucla": raw, "folder": mine}
    for name, words in said.items():
        if name in roots:
            text = (save_dataset(name, roots[name], tmp_path / name) / "README.md").read_text()
            assert words in text.split("## How it was made")[1]
        assert words in DATASETS[name].provenance


def test_a_zip_of_another_dataset_is_named(raw, tmp_path, write_utd):
    archive = zipped(raw, tmp_path / "raw.zip")
    with pytest.raises(ValueError, match=r"raw.zip: expected files called .*a01_s01.*build n-ucla --raw"):
        save_dataset("ntu-rgbd", archive, tmp_path / "out")
    folder = tmp_path / "utd"
    folder.mkdir()
    write_utd(folder=folder)
    with pytest.raises(ValueError, match=r"found none.*build utd-mhad --raw"):
        save_dataset("n-ucla", zipped(folder, tmp_path / "utd.zip"), tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_zip_cut_off_in_the_middle_is_said_to_be(raw, tmp_path, share, capsys):
    archive = zipped(raw, tmp_path / "raw.zip")
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    assert build("n-ucla", "--raw", archive, "--out", tmp_path / "out") == 2
    assert "raw.zip: the zip file is cut off" in capsys.readouterr().err
    assert main(["info", str(archive)]) == 2
    assert "raw.zip: the zip file is cut off" in capsys.readouterr().err


def test_help_lists_datasets_and_protocols_without_importing_torch():
    code = (
        "import sys; from motionhub.cli.main import main; main(['dataset', 'build', '--help'])\n"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in shown.splitlines()]
    assert ["ntu-rgbd", "xsub,", "xview,", "xsub-120,", "xset-120"] in lines
    assert {line[0] for line in lines if line} >= set(DATASETS)
    assert lines[-1] == ["set()"]


def test_info_of_a_zip_points_to_the_build(raw, tmp_path, capsys):
    assert main(["info", str(zipped(raw, tmp_path / "raw.zip"))]) == 2
    error = capsys.readouterr().err
    assert "is a zip file of 20 files" in error and "motionhub dataset build n-ucla --raw" in error


def test_read_of_a_zip_points_to_the_build_too(raw, tmp_path):
    with pytest.raises(ValueError, match="a zip file; .* motionhub dataset build NAME --raw ZIP --out FOLDER"):
        read(zipped(raw, tmp_path / "raw.zip"))


def test_info_still_reads_the_zip_that_is_an_npz(tmp_path, capsys):
    np.savez(tmp_path / "clip.npz", keypoints=np.zeros((4, 13, 2), np.float32))
    words = ["info", str(tmp_path / "clip.npz"), "--layout", "penn-13", "--fps", "30", "--unit", "pixel"]
    assert main(words) == 0, capsys.readouterr().err
    assert "people 1, frames 4" in capsys.readouterr().out


def test_a_clip_is_in_the_cell_of_its_splits(raw, tmp_path):
    out = save_dataset("n-ucla", raw, tmp_path / "out", shard_bytes=1)
    cells = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.parquet"))
    # Only cross-subject can be filled by one view: odd subjects train, even ones test.
    assert cells == [f"data/{split}/clips-00000-of-00001.parquet" for split in ("test", "train")]
    assert Path(out / "README.md").read_text().count("data/train/*.parquet") == 2


def test_counts_that_are_not_the_papers_are_an_error_that_names_them(raw, tmp_path, capsys):
    words = ["dataset", "build", "n-ucla", "--raw", str(raw), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "subjects: got 2, 10 stated; cross-view" in error and "test clips: got none" in error
    assert "--expect subset" in error
    assert not (tmp_path / "out").exists()
    assert main([*words, "--expect", "subset"]) == 0
    assert "- subjects: got 2, 10 stated" in (tmp_path / "out" / "README.md").read_text()
