"""Write the generated parts of docs/: ``make docs``. Tests fail when a page is no longer true."""

from pathlib import Path

from tests.docs.transcript import written
from tests.kit.stack_env import SmolctlEnv

DOCS = Path(__file__).parents[2] / "docs"


def write_why() -> None:
    """Bring the output on docs/why.md up to date."""
    env, page = SmolctlEnv(), DOCS / "why.md"
    try:
        page.write_text(written(env, page.read_text()))
    finally:
        env.close()


if __name__ == "__main__":
    write_why()
