from solovirt import __version__
from solovirt.server import versions


def test_kubernetes_numbers_agree() -> None:
    found = versions.kubernetes()
    assert str(found["gitVersion"]).startswith(f"v{found['major']}.{found['minor']}.0+solovirt.{__version__}")
    assert str(found["platform"]).startswith("linux/")


def test_kubevirt_says_its_level() -> None:
    assert str(versions.kubevirt()["gitVersion"]).startswith(versions.KUBEVIRT + "+solovirt.")
