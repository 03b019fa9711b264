"""docs/map.svg is what ``smolctl map --svg`` draws of the hosts of docs/cables.md."""

from tests.docs.map_picture import PICTURE, picture


def test_the_picture_of_the_lab_is_true() -> None:
    assert PICTURE.read_text() == picture()


def test_the_page_shows_it() -> None:
    assert "(map.svg)" in (PICTURE.parent / "cables.md").read_text()
