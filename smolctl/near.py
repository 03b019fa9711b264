"""The word that a mistyped one was meant to be; every layer may ask."""

from collections.abc import Iterable


def near(word: str, names: Iterable[str]) -> str | None:
    """Return the name that ``word`` was probably meant to be, or None."""
    word, names = word.lower(), list(names)
    if not names:
        return None
    from difflib import get_close_matches  # costs 3 ms, and only a typo needs it

    matches = get_close_matches(word, names, n=5, cutoff=0.6)
    best = matches[0] if matches else None
    if best is None or len(best) != len(word):
        return best
    # Two letters in the wrong order are likelier than a wrong one: "lsat" is last, not list.
    return next((name for name in matches if sorted(name) == sorted(word)), best)


def did_you_mean(word: str, names: Iterable[str], otherwise: str | None = None) -> str | None:
    """Return the hint for a word that is none of some names.

    Args:
        word: as it came.
        names: what it could have been.
        otherwise: the hint when none of them is near.
    """
    guess = near(word, names)
    return f'did you mean "{guess}"?' if guess else otherwise
