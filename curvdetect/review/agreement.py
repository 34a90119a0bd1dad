"""What several people said of the same samples, as one verdict for each, and how far they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

#: ``"right"``, ``"wrong"`` or ``"unsure"``, and the new label of the second.
Verdict: TypeAlias = tuple[str, str]

UNSURE: Verdict = ("unsure", "")


class Agreement(NamedTuple):
    """How far people agree."""

    people: int
    shared: int
    """Samples that at least two of them found right or wrong."""
    agreed: int
    """Those of which all of these said the same."""

    def told(self) -> str:
        """Return this as a sentence."""
        if not self.shared:
            return f"{self.people} people judged, and no label twice."
        share = f"{self.agreed} of {self.shared} labels ({100 * self.agreed / self.shared:.0f} %)"
        return f"{self.people} people judged. Where several did, they agree on {share}."


def merged(
    votes: Mapping[int, Mapping[object, Verdict]], *, only_agreed: bool = False
) -> tuple[dict[int, Verdict], Agreement]:
    """Return one verdict for each sample, of what each person said of it.

    It is that of more than half of the people who found the sample right or wrong, or with ``only_agreed`` that of all
    of them, if they are two or more. Otherwise it is unsure.
    """
    made, shared, agreed = {}, 0, 0
    for sample, said in votes.items():
        counts = Counter(verdict for verdict in said.values() if verdict != UNSURE)
        verdict, most = counts.most_common(1)[0] if counts else (UNSURE, 0)
        several, alike = counts.total() >= 2, most == counts.total()
        shared, agreed = shared + several, agreed + (several and alike)
        enough = several and alike if only_agreed else 2 * most > counts.total()
        made[sample] = verdict if enough else UNSURE
    return made, Agreement(len({person for said in votes.values() for person in said}), shared, agreed)
