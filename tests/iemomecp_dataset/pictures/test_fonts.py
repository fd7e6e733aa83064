from __future__ import annotations

from matplotlib import font_manager, rcParams

from iemomecp_dataset.pictures import fonts


def test_families_go_on_with_an_installed_one_that_has_the_characters(monkeypatch):
    own = list(rcParams["font.family"])
    assert fonts.families_for("Ana, 3") == own
    # STIX has a letter of private use that DejaVu Sans, the default, has not.
    path = font_manager.findfont("STIXNonUnicode")
    letter = chr(max(font_manager.get_font(path).get_charmap()))
    assert fonts.families_for(letter) is None
    monkeypatch.setattr(fonts, "_WIDE", ("a font that is not installed", "STIXNonUnicode"))
    assert fonts.families_for(f"Ana {letter}") == [*own, "STIXNonUnicode"]
