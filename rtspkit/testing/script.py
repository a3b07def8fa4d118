"""When the camera does what: rules, each with a condition and its actions.

Layer:  testing
In:     requests, in the order they are read
Out:    the actions that apply to each

All actions of all rules that match a request apply, in the order the rules were made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from rtspkit.testing.actions import Action
from rtspkit.wire.message import Request

__all__ = ["Rule", "Script"]


@dataclass(slots=True, eq=False)
class Rule:
    """When some actions apply.

    Attributes:
        method: The method; None for any.
        nth: Which of the requests that match otherwise, counted from 1 since the rule was made:
            a number, several (a range will do), or None for each.
        url: Text that the request URI contains; None for any.
        when: A last condition; None for none.
        actions: What applies.
        seen: Requests that matched, whatever their number.
        hits: Requests that the actions applied to.
        active: Whether the rule is in force.
    """

    method: str | None
    nth: int | Collection[int] | None
    url: str | None
    when: Callable[[Request], bool] | None
    actions: tuple[Action, ...]
    seen: int = 0
    hits: int = 0
    active: bool = True

    def cancel(self) -> None:
        """Take the rule out of force."""
        self.active = False

    def matches(self, request: Request) -> bool:
        """Whether the actions apply to this request; counts it."""
        if not self.active or self.method not in (None, request.method):
            return False
        if self.url is not None and self.url not in request.uri:
            return False
        if self.when is not None and not self.when(request):
            return False
        self.seen += 1
        nth = self.nth
        chosen = nth is None or (self.seen == nth if isinstance(nth, int) else self.seen in nth)
        self.hits += chosen
        return chosen


class Script:
    """The rules of one camera, in order."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(
        self,
        method: str | None,
        actions: Iterable[Action],
        *,
        nth: int | Collection[int] | None = None,
        url: str | None = None,
        when: Callable[[Request], bool] | None = None,
    ) -> Rule:
        """Add a rule; see ``Rule`` for what the arguments mean.

        Raises:
            TypeError: Something in ``actions`` is no ``Action``.
        """
        chosen = tuple(actions)
        for action in chosen:
            if not isinstance(action, Action):
                raise TypeError(f"{action!r} is no Action")
        rule = Rule(method, nth, url, when, chosen)
        self.rules.append(rule)
        return rule

    def actions_for(self, request: Request) -> list[Action]:
        """The actions of every rule that matches, in order; counts the request in each."""
        self.rules = [rule for rule in self.rules if rule.active]
        return [action for rule in self.rules if rule.matches(request) for action in rule.actions]
