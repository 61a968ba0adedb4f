"""Results to grades, A to F, for each of the ten items and overall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seawall.model.finding import Grade, Item, Result, Severity, Status

GRADE_OF: Final[Mapping[Severity, Grade]] = {
    Severity.CRITICAL: Grade.F,
    Severity.HIGH: Grade.D,
    Severity.MEDIUM: Grade.C,
    Severity.LOW: Grade.B,
    Severity.INFO: Grade.A,
}
"""What the worst open failure leaves at best."""

_FROM_BEST: Final = tuple(Grade)


@dataclass(frozen=True, slots=True)
class ItemGrade:
    """What one of the ten came to.

    Attributes:
        item: Which.
        grade: None: not assessed, nothing passed and nothing failed.
        passed: How many results are passes.
        failed: Open failures.
        unknown: Questions without an answer.
        waived: Failures that somebody lives with for a time.
    """

    item: Item
    grade: Grade | None
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    waived: int = 0


@dataclass(frozen=True, slots=True)
class Grades:
    """The ten, and the worst of those that were assessed.

    Attributes:
        overall: None: nothing was assessed.
        items: All ten, in their order.
    """

    overall: Grade | None
    items: tuple[ItemGrade, ...]


def is_open(result: Result) -> bool:
    """Whether a result is a failure that nobody has waived."""
    return result.status is Status.FAIL and result.waived is None


def worst(grades: Iterable[Grade | None]) -> Grade | None:
    """Return the worst grade; None if there is none."""
    return max((each for each in grades if each), key=_FROM_BEST.index, default=None)


def grade_results(results: Iterable[Result]) -> Grades:
    """Grade all results of an audit.

    The worst open failure sets an item's grade: critical F, high D, medium C, low B;
    information never lowers it. With a question unanswered an item is B at best, since
    unknown is no pass. Waived failures do not count. An item of which nothing passed
    and nothing failed is not assessed, and has no grade.
    """
    by_item: dict[Item, list[Result]] = {item: [] for item in Item}
    for result in results:
        by_item[result.item].append(result)
    items = tuple(_grade_item(item, here) for item, here in by_item.items())
    return Grades(worst(each.grade for each in items), items)


def _grade_item(item: Item, results: Sequence[Result]) -> ItemGrade:
    counted = Counter(each.status for each in results if each.waived is None)
    failed = [GRADE_OF[each.severity] for each in results if is_open(each)]
    grade = None
    if failed or counted[Status.PASS]:
        grade = worst([Grade.A, *failed, Grade.B if counted[Status.UNKNOWN] else None])
    return ItemGrade(
        item,
        grade,
        passed=counted[Status.PASS],
        failed=len(failed),
        unknown=counted[Status.UNKNOWN],
        waived=sum(each.waived is not None for each in results),
    )
