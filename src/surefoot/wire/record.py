"""The frozen value that everything in the kernel is made of.

`dataclasses` and `typing` do not exist on MicroPython, where `__slots__` is not enforced either, so this base does by
hand what a frozen dataclass would: fields come from `__slots__` in order, values are compared by type and content,
and an instance that breaks its own `check()` cannot be built.
"""

from surefoot.wire.errors import Misuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_flags):
        """Stand in for `typing.dataclass_transform`, which only a type checker reads."""
        return lambda decorated: decorated


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=True)
class Record:
    """A frozen value: keyword fields named by `__slots__`, equality by type and value."""

    __slots__: "tuple[str, ...]" = ()

    def __init__(self, **fields: "Any") -> None:
        slots, set_field = self.__slots__, object.__setattr__
        for name in slots:
            if name not in fields:
                raise Misuse("misuse-record", f"{type(self).__name__} needs the field {name}.")
            set_field(self, name, fields[name])
        if len(fields) != len(slots):
            unknown = sorted([name for name in fields if name not in slots])
            raise Misuse("misuse-record", f"{type(self).__name__} has no field {unknown[0]}.")
        self.check()

    def check(self) -> None:
        """Raise `Refused` when the fields do not make a valid value; override where there is something to check."""

    def replace(self, **changes: "Any") -> "Self":
        """Return a copy with these fields changed; the copy is checked like a new value."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields.update(changes)
        return type(self)(**fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: use replace({name}=…).")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((type(self).__name__,) + tuple(getattr(self, name) for name in self.__slots__))

    def __reduce__(self) -> "tuple[Any, ...]":
        # Pickle would set the fields of an empty instance one by one, which a frozen one does not allow.
        return _rebuild, (type(self), {name: getattr(self, name) for name in self.__slots__})

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({shown})"


def _rebuild(kind: "type[Record]", fields: "dict[str, Any]") -> Record:
    return kind(**fields)
