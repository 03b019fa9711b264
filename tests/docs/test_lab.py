"""docs/lab.md, the course: its pictures are what the scenarios draw, and each step is whole."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from smolctl.cli.nouns.lab_names import names
from tests.docs.lab_pictures import FOLDER, PICTURES, Picture, drawn

PAGE = Path(__file__).parents[2] / "docs" / "lab.md"
TEXT = PAGE.read_text()
STEPS = re.split(r"^## (?=\d+\. )", TEXT, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.file)
def test_a_picture_is_drawn_by_the_code_that_is_here(picture: Picture) -> None:
    there = (FOLDER / picture.file).read_text()
    assert drawn(picture) == there, "run: make docs"
    kinds = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(there).iter()}
    assert "script" not in kinds
    assert "foreignObject" not in kinds
    assert not re.search(r'\b(on\w+|href|src)="|url\((?!#)|@import', there)


def test_every_picture_is_shown_with_words_and_none_is_left_over() -> None:
    shown = re.findall(r"!\[([^\]]+)\]\(lab/([^)]+)\)", TEXT)
    assert sorted(file for _, file in shown) == sorted(picture.file for picture in PICTURES)
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(file for _, file in shown)
    assert all(len(words.split()) >= 8 for words, _ in shown)


def test_each_of_the_ten_steps_is_run_read_broken_and_mended() -> None:
    assert [step.partition(".")[0] for step in STEPS] == [str(number) for number in range(1, 11)]
    for step in STEPS:
        ran = set(re.findall(r"^\$ smolctl (?:-q )?lab (?:run|compare) ([\w.-]+)", step, re.M))
        assert "mine.toml" in ran
        assert ran & set(names("shipped"))
        assert "](lab/" in step
        assert "**Break it" in step
        assert "**Mend it" in step
        assert "FAILED  line " in step
        assert re.findall(r"^(?:ok|FAILED): ", step, re.M)[-1] == "ok: "
