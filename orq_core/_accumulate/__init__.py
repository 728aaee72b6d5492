"""Chunks to the completion they make, and a completion to chunks that make it."""

from orq_core._accumulate.accumulator import Accumulator
from orq_core._accumulate.chunks import chunks_of

__all__ = ["Accumulator", "chunks_of"]
