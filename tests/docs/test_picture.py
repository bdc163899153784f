from importlib import import_module
from typing import Any

import pytest

from docs.pages import ROOT


@pytest.fixture
def picture(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    return import_module("scripts.docs_picture")


def test_arrows_come_from_imports_that_run(picture: Any, tmp_path: Any) -> None:
    for name in ("agent", "wire", "trust"):
        (tmp_path / "surefoot" / name).mkdir(parents=True)
        (tmp_path / "surefoot" / name / "__init__.py").touch()
    (tmp_path / "surefoot" / "agent" / "steps.py").write_text(
        "from surefoot.wire.codes import CODES\n"
        "if TYPE_CHECKING:\n    import surefoot.trust.keys\n"
        "def late():\n    from surefoot import trust\n"
    )
    (tmp_path / "surefoot" / "trust" / "keys.py").write_text("if TYPE_CHECKING:\n    import surefoot.wire\n")
    assert picture.imports(tmp_path / "surefoot") == {"agent": {"wire", "trust"}, "trust": set(), "wire": set()}


def test_a_package_without_a_place_stops_the_drawing(picture: Any) -> None:
    found = picture.imports(ROOT / "src" / "surefoot")
    with pytest.raises(ValueError, match="telemetry"):
        picture.architecture({**found, "telemetry": set()})


def test_an_import_that_points_upwards_stops_the_drawing(picture: Any) -> None:
    found = picture.imports(ROOT / "src" / "surefoot")
    with pytest.raises(ValueError, match="wire imports fleet"):
        picture.architecture({**found, "wire": {"fleet"}, "fleet": set()})
