"""The report about this machine: every missing thing comes with the line that fixes it."""

import importlib.metadata
import socket

import pytest

from motionhub import doctor


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
    monkeypatch.setattr(doctor, "_is_installed", lambda package: package != "torchvision")
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
