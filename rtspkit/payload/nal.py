"""NAL units and their byte stream, as H.264 and H.265 share them; a bounded reader of bits.

Layer:  payload (pure functions)
In:     an Annex B byte stream, or one NAL unit
Out:    NAL units; a raw byte sequence payload (RBSP); numbers out of it
Source: ITU-T H.264 §7.4.1.1 (emulation prevention), §9.1 (Exp-Golomb), Annex B;
        ITU-T H.265 §7.4.2, §9.2, Annex B

Facts the code leans on
- No NAL unit ends in a zero byte, and none holds 00 00 01: zeros at its end belong to the byte
  stream, and a start code inside it is a seam that the sender forgot to cut.
"""

from __future__ import annotations

from collections.abc import Iterable

from rtspkit.errors import RemoteProtocolError

__all__ = [
    "START_CODE",
    "BitReader",
    "join_annex_b",
    "remove_emulation_prevention",
    "skip_video_signal",
    "split_annex_b",
]

START_CODE = b"\x00\x00\x00\x01"  # as we write it
SHORT_START_CODE = b"\x00\x00\x01"  # the least that a reader has to know
EXTENDED_SAR = 255  # aspect_ratio_idc
MAX_EXP_GOLOMB_ZEROS = 32  # ue(v) goes to 2**32 - 2


def split_annex_b(data: bytes | bytearray | memoryview) -> list[bytes]:
    """The NAL units of a byte stream, without start codes and trailing zeros.

    Bytes before the first start code are a NAL unit too; empty units are left out.

    Source: ITU-T H.264 Annex B.1.
    """
    pieces = (piece.rstrip(b"\x00") for piece in bytes(data).split(SHORT_START_CODE))
    return [piece for piece in pieces if piece]


def join_annex_b(nal_units: Iterable[bytes]) -> bytes:
    """A byte stream of the NAL units, each behind a start code of four bytes."""
    return b"".join([part for nal_unit in nal_units for part in (START_CODE, nal_unit)])


def remove_emulation_prevention(nal_unit: bytes) -> bytes:
    """The NAL unit without its emulation prevention bytes: 00 00 03 becomes 00 00.

    Source: ITU-T H.264 §7.3.1.
    """
    return nal_unit.replace(b"\x00\x00\x03", b"\x00\x00")


class BitReader:
    """Reads an RBSP from front to back, most significant bit first.

    Args:
        data: Without emulation prevention bytes.

    Raises:
        RemoteProtocolError: From every method, when the data ends too early or an Exp-Golomb
            code is longer than any may be.
    """

    __slots__ = ("_data", "_position", "_size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._size = 8 * len(data)

    @property
    def left(self) -> int:
        """Bits not read yet."""
        return self._size - self._position

    def unsigned(self, bits: int) -> int:
        """u(n): the next ``bits`` bits."""
        start = self._position
        stop = start + bits
        if stop > self._size:
            raise RemoteProtocolError(f"{bits} bits wanted, {self.left} left")
        self._position = stop
        window = int.from_bytes(self._data[start >> 3 : (stop + 7) >> 3], "big")
        return window >> (-stop & 7) & ((1 << bits) - 1)

    def flag(self) -> bool:
        """u(1)."""
        return self.unsigned(1) == 1

    def skip(self, bits: int) -> None:
        """Leave ``bits`` bits unread."""
        self.unsigned(bits)

    def exp_golomb(self) -> int:
        """ue(v), 0 to 2**32 - 2."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > MAX_EXP_GOLOMB_ZEROS:
                raise RemoteProtocolError("an Exp-Golomb code has more than 32 leading zeros")
        return (1 << zeros) - 1 + self.unsigned(zeros)

    def signed_exp_golomb(self) -> int:
        """se(v)."""
        code = self.exp_golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)

    def bounded(self, maximum: int, name: str) -> int:
        """ue(v) that the standard bounds; ``name`` is for the message."""
        value = self.exp_golomb()
        if value > maximum:
            raise RemoteProtocolError(f"{name} is {value}, at most {maximum}")
        return value


def skip_video_signal(bits: BitReader) -> None:
    """Leave unread what the VUI of H.264 and H.265 begins with: shape, overscan, signal, chroma.

    Source: ITU-T H.264 §E.1.1, ITU-T H.265 §E.2.1.
    """
    if bits.flag() and bits.unsigned(8) == EXTENDED_SAR:
        bits.skip(32)
    if bits.flag():  # overscan_info_present_flag
        bits.skip(1)
    if bits.flag():  # video_signal_type_present_flag
        bits.skip(4)
        if bits.flag():
            bits.skip(24)
    if bits.flag():  # chroma_loc_info_present_flag
        bits.exp_golomb()
        bits.exp_golomb()
