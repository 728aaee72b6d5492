"""Chunks to the completion they make, and a completion to chunks that make it."""

from orq_core._accumulate.accumulator import Accumulator
from orq_core._accumulate.chunks import chunks_of
from orq_core._accumulate.folding import mark_stand_ins, stand_ins
from orq_core._accumulate.tally import Tally

__all__ = ["Accumulator", "Tally", "chunks_of", "mark_stand_ins", "stand_ins"]
