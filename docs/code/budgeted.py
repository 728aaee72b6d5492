from orq_core import Orq
from orq_plugins import Budget, BudgetExceededError, BudgetLimit

budget = Budget(
    [BudgetLimit(cost=20.0, period="month"), BudgetLimit(tokens=1_000, period="day", soft=0.005)],
    scope="metadata.team",
    prices={"openai/gpt-4o-mini": (0.15, 0.60, 0.075), "openai/*": (5.0, 15.0)},
    on_soft=lambda warning: print(f"tell the team: {warning}"),
)

with Orq(plugins=[budget]) as client:
    for most in (100, 2_000):
        try:
            completion = client.router.chat.completions.create(
                model="openai/gpt-4o-mini",
                messages=[{"role": "user", "content": "Is the weather good?"}],
                max_tokens=most,
                metadata={"team": "red"},
            )
        except BudgetExceededError as error:
            print(f"not sent: {error.scope}, {error.unit} of this {error.period}")
        else:
            note = completion.info.notes["budget"]
            print(f"{note['tokens']} tokens, {note['cost']:.8f} dollars")
