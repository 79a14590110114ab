"""What stands before the Avro body and names the schema it was written with.

Single-object encoding is the framing of a Kafka without a registry. The Confluent wire format (a zero byte and the
registry's 4-byte id, big-endian) is another class with these two methods, holding the ids by fingerprint.
"""

from typing import Protocol

from hookline.schemas.errors import ContractError

FINGERPRINT_BYTES = 8


class Framing(Protocol):
    """Puts a schema's name before a body, and takes it off again."""

    def frame(self, fingerprint: bytes) -> bytes:
        """What goes before a body written with this schema (its CRC-64-AVRO, little-endian)."""
        ...

    def unframe(self, value: bytes) -> tuple[bytes, int]:
        """The fingerprint of the writer's schema, and where the body begins; ContractError for other bytes."""
        ...


class SingleObject:
    """Avro's single-object encoding: C3 01, then the fingerprint.

    https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding
    """

    _MARK = b"\xc3\x01"
    _BODY_AT = len(_MARK) + FINGERPRINT_BYTES

    def frame(self, fingerprint: bytes) -> bytes:
        return self._MARK + fingerprint

    def unframe(self, value: bytes) -> tuple[bytes, int]:
        if value[:2] != self._MARK:
            raise ContractError(
                f"the value begins with {value[:2].hex() or 'nothing'}; "
                "it must be Avro in single-object encoding, which begins with c301"
            )
        if len(value) < self._BODY_AT:
            raise ContractError(f"the value ends after {len(value)} bytes, in the middle of its schema's fingerprint")
        return value[2 : self._BODY_AT], self._BODY_AT
