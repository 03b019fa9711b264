"""The kernel's own types (BTF): where the fields of its structures are.

The layout of ``struct sk_buff`` differs by release and configuration. The kernel describes it in
/sys/kernel/btf/vmlinux (Documentation/bpf/btf.rst), which everybody may read.
"""

import struct

PLACE = "/sys/kernel/btf/vmlinux"
_MAGIC = 0xEB9F
_HEADER = struct.Struct("=HBBIIIII")
_TYPE = struct.Struct("=III")
_MEMBER = struct.Struct("=III")
_ENUM_VALUE = struct.Struct("=Ii")
_PARAMETER = struct.Struct("=II")
_PTR, _STRUCT, _UNION, _ENUM, _TYPEDEF, _CONST, _PROTOTYPE = 2, 4, 5, 6, 8, 10, 13
# Bytes behind a type's header: a fixed number, and a number for each of its members.
_FIXED = {1: 4, 3: 12, 14: 4, 17: 4}
_EACH = {_STRUCT: 12, _UNION: 12, _ENUM: 8, _PROTOTYPE: 8, 15: 12, 19: 12}


class Unknown(Exception):
    """The kernel does not describe what was asked for; the text says what."""


class Types:
    """The types of a kernel.

    Args:
        data: the contents of /sys/kernel/btf/vmlinux.

    Raises:
        Unknown: it is not in a form that is known here.
    """

    def __init__(self, data: bytes) -> None:
        try:
            magic, _, _, head, type_at, type_size, string_at, string_size = _HEADER.unpack_from(
                data
            )
        except struct.error:
            raise Unknown("types of the kernel") from None
        if magic != _MAGIC:
            raise Unknown("types of the kernel in this byte order")
        self._types = data[head + type_at : head + type_at + type_size]
        self._strings = data[head + string_at : head + string_at + string_size]
        self._places = _places(self._types)

    def offset(self, structure: str, path: str) -> int:
        """Return where a field is in a structure, bytes.

        Args:
            structure: its name. path: names with dots between: "__sk_common.skc_net.net".

        Raises:
            Unknown: there is no such structure or field, or it is one of bits.
        """
        kind, number, bits = _STRUCT, self._named(structure, _STRUCT), 0
        for name in path.split("."):
            found = self._member(number, name) if kind in (_STRUCT, _UNION) else None
            if found is None:
                raise Unknown(f"{structure}.{path}")
            number, more = found
            bits += more
            number, kind = self._plain(number)
        if bits % 8:
            raise Unknown(f"{structure}.{path}, in whole bytes")
        return bits // 8

    def size(self, structure: str) -> int:
        """Return the size of a structure, bytes.

        Raises:
            Unknown: there is none.
        """
        return int(self._header(self._named(structure, _STRUCT))[2])

    def values(self, enumeration: str) -> dict[int, str]:
        """Return the names of an enumeration's values.

        Raises:
            Unknown: there is none.
        """
        number = self._named(enumeration, _ENUM)
        at, count = self._places[number] + _TYPE.size, self._header(number)[1] & 0xFFFF
        rows = (_ENUM_VALUE.unpack_from(self._types, at + 8 * i) for i in range(count))
        return {value: self._string(name) for name, value in rows}

    def parameters(self, typedef: str) -> list[str]:
        """Return the names of the types of the parameters of a pointer to a function.

        Raises:
            Unknown: there is none of that name.
        """
        number, kind = self._plain(self._header(self._named(typedef, _TYPEDEF))[2])
        if kind == _PTR:
            number, kind = self._plain(self._header(number)[2])
        if kind != _PROTOTYPE:
            raise Unknown(typedef)
        at, count = self._places[number] + _TYPE.size, self._header(number)[1] & 0xFFFF
        rows = [_PARAMETER.unpack_from(self._types, at + 8 * i) for i in range(count)]
        return [self._type_name(each) for _, each in rows]

    def _type_name(self, number: int) -> str:
        number, kind = self._plain(number)
        while kind == _PTR:
            number, kind = self._plain(self._header(number)[2])
        return self._string(self._header(number)[0]) if number else "void"

    def _header(self, number: int) -> tuple[int, int, int]:
        name, info, size = _TYPE.unpack_from(self._types, self._places[number])
        return name, info, size

    def _plain(self, number: int) -> tuple[int, int]:
        """Return a type without typedefs and qualifiers, and its kind."""
        while number:
            _, info, other = self._header(number)
            kind = info >> 24 & 0x1F
            if kind not in (_TYPEDEF, _CONST, 9, 11, 18):
                return number, kind
            number = other
        return 0, 0

    def _member(self, number: int, wanted: str) -> tuple[int, int] | None:
        """Return the type of a member and its place in bits; one of an unnamed member is found."""
        info = self._header(number)[1]
        at, has_bits = self._places[number] + _TYPE.size, bool(info >> 31)
        for i in range(info & 0xFFFF):
            name, kind, place = _MEMBER.unpack_from(self._types, at + 12 * i)
            place = place & 0xFFFFFF if has_bits else place
            if name and self._string(name) == wanted:
                return kind, place
            inner, inner_kind = (0, 0) if name else self._plain(kind)
            found = self._member(inner, wanted) if inner_kind in (_STRUCT, _UNION) else None
            if found is not None:
                return found[0], place + found[1]
        return None

    def _named(self, name: str, kind: int) -> int:
        """Return the number of the type of a name."""
        at = self._strings.find(b"\0" + name.encode() + b"\0") + 1
        unpack = _TYPE.unpack_from
        for number, place in enumerate(self._places) if at else ():
            name_at, info, _ = unpack(self._types, place)
            if name_at == at and info >> 24 & 0x1F == kind and number:
                return number
        raise Unknown(name)

    def _string(self, at: int) -> str:
        return self._strings[at : self._strings.index(b"\0", at)].decode()


def _places(types: bytes) -> list[int]:
    """Return where each type begins, by its number; number 0 is void."""
    places, at = [0], 0
    unpack, end = struct.Struct("=I").unpack_from, len(types)
    while at < end:
        places.append(at)
        (info,) = unpack(types, at + 4)
        kind = info >> 24 & 0x1F
        at += 12 + _FIXED.get(kind, 0)
        if kind in _EACH:
            at += _EACH[kind] * (info & 0xFFFF)
    return places


def read() -> Types:
    """Return the types of the running kernel.

    Raises:
        Unknown: it tells none.
    """
    try:
        with open(PLACE, "rb") as file:
            return Types(file.read())
    except OSError:
        raise Unknown("its own types (CONFIG_DEBUG_INFO_BTF)") from None
