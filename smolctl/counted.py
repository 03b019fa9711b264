"""A number with its noun, singular or plural."""


def counted(number: object, noun: str, many: str = "") -> str:
    """Return a text such as "1 byte" or "2 bytes".

    Args:
        number: how many.
        noun: one of them.
        many: several of them, when that is not the noun with an "s".
    """
    return f"{number} {noun if number == 1 else many or noun + 's'}"
