"""The values of awsiotsdk as the plain JSON that they came from."""

from datetime import datetime
from typing import Any


def plain(value: Any) -> Any:
    """Return a modelled value as JSON has it, without what is absent."""
    names = getattr(value, "__slots__", None)
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, list):
        return [plain(one) for one in value]
    if names is None or isinstance(value, dict | str):
        return value
    found = {_camel(name): plain(getattr(value, name)) for name in names}
    return {name: one for name, one in found.items() if one is not None}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
