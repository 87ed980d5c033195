"""The report about this machine: every missing thing comes with the line that fixes it."""

import importlib.metadata
import socket
import sys
from pathlib import Path

import pytest

from motionhub.cli import doctor
from motionhub.version import __version__


def findings_by_subject(**options: float) -> dict[str, doctor.Finding]:
    return {finding.subject: finding for finding in doctor.examine(**options)}


def test_versions_are_those_of_the_installed_packages() -> None:
    found = findings_by_subject(timeout=0.1)
    for package in ("torch", "transformers", "datasets"):
        assert found[package].detail == importlib.metadata.version(package)


def test_missing_core_package_is_a_problem_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CORE_PACKAGES", ("no-such-package-of-ours",))
    missing = findings_by_subject(timeout=0.1)["no-such-package-of-ours"]
    assert missing.status == "problem"
    assert missing.fix.startswith("pip install")
    assert doctor.print_report([missing]) == 1


def test_missing_extra_names_its_packages_and_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda package: "" if package == "torchvision" else "1.0")
    towers = findings_by_subject(timeout=0.1)["extra towers"]
    assert towers.status == "note"
    assert "torchvision" in towers.detail and "timm" not in towers.detail
    assert towers.fix == 'pip install "motionhub[towers]"'


def test_the_processor_its_limits_and_what_auto_means_on_it_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    found = findings_by_subject(timeout=0.1)
    assert "limited by" in found["cpu"].detail and "ONEDNN_MAX_CPU_ISA=AVX2" in found["cpu"].detail
    assert found["precision cpu"].detail.startswith('mixed_precision "auto" is ')
    assert doctor._cpu("AVX2", 1, 1).startswith("1 core, 1 torch thread, ")


def test_unreachable_hub_is_a_note_and_offline_use_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with socket.socket() as unused:  # a port nobody listens on
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        hub = doctor._hub(timeout=0.5)
    assert hub.status == "note"
    assert "HF_HUB_OFFLINE=1" in hub.fix


def test_reachable_hub_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert doctor._hub(timeout=1.0).status == "ok"


def installed(site: Path, *versions: str) -> None:
    for version in versions:
        folder = site / f"motionhub-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: motionhub\nVersion: {version}\n")


def test_two_installed_versions_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, __version__, "0.0.1")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    (found,) = doctor._own_versions()
    assert found.status == "problem" and "pip uninstall" in found.fix
    assert f"0.0.1 in {tmp_path}" in found.detail and f"{__version__} in {tmp_path}" in found.detail


def test_files_of_another_version_than_pip_knows_are_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "0.0.1")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    (found,) = doctor._own_versions()
    assert found.status == "problem" and found.detail.startswith(f"the files are motionhub {__version__}, ")


def test_one_version_is_no_finding_even_when_it_is_found_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path / "a", __version__)
    installed(tmp_path / "b", __version__)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "a"), str(tmp_path / "b")])
    assert list(doctor._own_versions()) == []
