"""From bytes to items: which kind of answer arrived, and the rules of each kind (sans-I/O)."""

from orq_core._answers.answer import AnswerReader, is_json
from orq_core._answers.completion import read_completion
from orq_core._answers.stream import StreamReader
from orq_core._answers.template import Piece, unfolded

__all__ = ["AnswerReader", "Piece", "StreamReader", "is_json", "read_completion", "unfolded"]
