"""Seeing the stack: which plugins there are, and what a call would become."""

from orq_core.explain.changes import Change
from orq_core.explain.explanation import Explanation, LayerReport
from orq_core.explain.inventory import Installed, inventory
from orq_core.explain.worst import RouterPolicy, WorstCase

__all__ = [
    "Change",
    "Explanation",
    "Installed",
    "LayerReport",
    "RouterPolicy",
    "WorstCase",
    "inventory",
]
