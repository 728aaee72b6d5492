"""Keeps what calls may cost, in tokens and money, within limits: `Budget`."""

from orq_plugins.budget.errors import BudgetExceededError
from orq_plugins.budget.limit import BudgetLimit, Period
from orq_plugins.budget.plugin import Budget
from orq_plugins.budget.prices import Price
from orq_plugins.budget.purse import BudgetWarning
from orq_plugins.budget.redis import RedisBudgets
from orq_plugins.budget.stores import Account, BudgetStore, MemoryBudgets, Spent

__all__ = [
    "Account",
    "Budget",
    "BudgetExceededError",
    "BudgetLimit",
    "BudgetStore",
    "BudgetWarning",
    "MemoryBudgets",
    "Period",
    "Price",
    "RedisBudgets",
    "Spent",
]
