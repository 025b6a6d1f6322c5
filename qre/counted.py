"""Numbers with their noun, as people write them."""


def counted(number: int, noun: str) -> str:
    """Such as "1 task", "1,101 encoders"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
