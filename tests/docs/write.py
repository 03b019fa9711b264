"""Write the generated parts of docs/: ``make docs``. Tests fail when a page is no longer true."""

import sys
from pathlib import Path

from tests.conformance import requirements
from tests.docs import host_page, lab_pictures, map_picture, picture, reference, rooms
from tests.docs.script import SCRIPT, shown_script
from tests.docs.transcript import PAGES, written
from tests.e2e.odd import reasons_page
from tests.e2e.profiles import profiles_page
from tests.kit.netns import unmet
from tests.kit.stack_env import SmolctlEnv

DOCS = Path(__file__).parents[2] / "docs"


def write_transcripts() -> None:
    """Bring the output on pages with commands up to date."""
    for name in PAGES:
        page = DOCS.parent / name
        env = SmolctlEnv()
        try:
            page.write_text(written(env, page.read_text()))
        finally:
            env.close()


def write_linux_reasons() -> None:
    """Ask smolctl and the kernel again; needs root."""
    if reason := unmet():
        print(f"docs/linux-reasons.md stays as it is: {reason}", file=sys.stderr)
        return
    reasons_page.PAGE.write_text(reasons_page.page())


def write_host() -> None:
    """Ask the host of docs/host.md again; needs root."""
    if reason := unmet():
        print(f"{host_page.NAME} stays as it is: {reason}", file=sys.stderr)
        return
    with host_page.surroundings() as env:
        host_page.PAGE.write_text(written(env, host_page.PAGE.read_text()))


def write_profiles() -> None:
    """Make docs/profiles.md of the table that tests/e2e/profiles/test_profiles.py tries."""
    profiles_page.PAGE.write_text(profiles_page.page())


def write_conformance() -> None:
    """Make docs/conformance.md of the requirements."""
    requirements.PAGE.write_text(requirements.page())


def write_readme() -> None:
    """Put the script that README shows into it, as it is in docs/examples/."""
    page = DOCS.parent / "README.md"
    page.write_text(SCRIPT.sub(lambda found: shown_script(found[1]), page.read_text()))


def write_reference() -> None:
    """Make docs/reference/ of the tables of commands, settings and reasons."""
    for name, text in reference.pages().items():
        (reference.FOLDER / name).write_text(text)


def write_rooms() -> None:
    """Draw the rooms of the core into ARCHITECTURE.md."""
    rooms.PAGE.write_text(rooms.page())


if __name__ == "__main__":
    write_transcripts()
    picture.write()
    lab_pictures.write()
    map_picture.write()
    write_readme()
    write_reference()
    write_rooms()
    write_conformance()
    write_profiles()
    write_linux_reasons()
    write_host()
