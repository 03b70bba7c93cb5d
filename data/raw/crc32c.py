"""CRC-32C, the checksum of TFRecord files, at hundreds of megabytes a second with numpy alone.

The register after a message is the exclusive or of what each of its bytes does to it, which depends
on the byte and its distance to the end. So the bytes of a row of `ROW` are looked up together, in a
table for each place, and only the rows follow one another.
"""

import numpy as np

ROW = 1024  # bytes; their tables of 1 MB stay in the processor's cache
_ROWS = 32  # looked up together, few enough that what is found stays in the cache too
_SHORT = 64  # bytes; shorter messages are quicker byte by byte
_POLYNOMIAL = np.uint32(0x82F63B78)  # reversed, as the register is
_ONES = 0xFFFFFFFF


def _tables() -> np.ndarray:
  """uint32 [ROW, 256]: the register after a byte at a place of a row and zeros up to its end."""
  registers = np.arange(256, dtype=np.uint32)
  for _ in range(8):
    registers = (registers >> 1) ^ np.where(registers & 1, _POLYNOMIAL, np.uint32(0))
  tables = np.empty((ROW, 256), np.uint32)
  tables[-1] = registers
  for place in range(ROW - 2, -1, -1):
    later = tables[place + 1]
    tables[place] = (later >> 8) ^ registers[later & 0xFF]
  return tables


_TABLES = _tables()
_FLAT_TABLES = _TABLES.ravel()
_PLACES = np.arange(0, 256 * ROW, 256)  # where the table of each place begins
_BYTE = _TABLES[-1].tolist()
_FIRST = _TABLES[:4].tolist()  # a register reaches into the first four bytes of the next row


def crc32c(message: bytes) -> int:
  """The CRC-32C of a message, Castagnoli's polynomial as in RFC 3720."""
  if len(message) < _SHORT:
    register = _ONES
    for byte in message:
      register = _BYTE[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ _ONES
  rows = np.zeros((-(-len(message) // ROW), ROW), np.uint8)  # zeros before it change nothing
  content = rows.reshape(-1)[-len(message) :]
  content[:] = np.frombuffer(message, np.uint8)
  content[:4] ^= 0xFF  # the register begins with ones
  register = 0
  first, second, third, fourth = _FIRST
  for start in range(0, len(rows), _ROWS):
    found = _FLAT_TABLES.take(_PLACES + rows[start : start + _ROWS], mode="clip")
    for row in np.bitwise_xor.reduce(found, axis=1).tolist():
      register = (
        first[register & 0xFF]
        ^ second[register >> 8 & 0xFF]
        ^ third[register >> 16 & 0xFF]
        ^ fourth[register >> 24]
        ^ row
      )
  return register ^ _ONES
