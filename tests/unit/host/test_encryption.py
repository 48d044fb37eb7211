from pathlib import Path

from solovirt.host import encryption
from solovirt.host.model.facts import SEV
from solovirt.kit.json import JsonObject


def module(root: Path, name: str, **parameters: str) -> Path:
    folder = root / name / "parameters"
    folder.mkdir(parents=True)
    for key, value in parameters.items():
        (folder / key).write_text(f"{value}\n")
    return root


async def told() -> JsonObject:
    return {"cbitpos": 51, "reduced-phys-bits": 1, "pdh": "x"}


async def nothing() -> JsonObject:
    return {}


async def never() -> JsonObject:
    raise AssertionError("there is nothing to ask about")


async def test_sev(tmp_path: Path) -> None:
    modules = module(tmp_path, "kvm_amd", sev="Y", sev_es="1", sev_snp="N")
    found = await encryption.sev("kvm", told, modules=modules)
    assert found == SEV(cbitpos=51, reduced_phys_bits=1, encrypted_state=True, snp=False)
    assert await encryption.sev("kvm", nothing, modules=modules) is None


async def test_hosts_without(tmp_path: Path) -> None:
    assert await encryption.sev("kvm", never, modules=tmp_path) is None
    modules = module(tmp_path, "kvm_amd", sev="Y")
    assert await encryption.sev("tcg", never, modules=modules) is None


def test_tdx(tmp_path: Path) -> None:
    modules = module(tmp_path, "kvm_intel", tdx="Y")
    assert encryption.tdx("kvm", modules=modules)
    assert not encryption.tdx("tcg", modules=modules)
    assert not encryption.tdx("kvm", modules=tmp_path / "none")
