"""On which listeners and host names there are models, and where one of them takes all requests that no other route matches."""

from collections import Counter
from collections.abc import Iterable

from workspace_ctrl.model.route_claims import RouteClaim, RoutePlace


class RoutePlaces:
    """The places of all claims; the time of an update depends only on the number of claims that it changes."""

    def __init__(self) -> None:
        self._claims: Counter[RoutePlace] = Counter()
        self._rest: Counter[RoutePlace] = Counter()
        self.version = 0
        """Grows when one of the sets below changes."""

    @property
    def with_models(self) -> frozenset[RoutePlace]:
        """The places of any claim."""
        return frozenset(self._claims)

    @property
    def without_rest(self) -> frozenset[RoutePlace]:
        """The places where a claim takes the rest of the requests."""
        return frozenset(self._rest)

    def replace(self, before: Iterable[RouteClaim], after: Iterable[RouteClaim]) -> None:
        """Count the claims `after` instead of those `before`."""
        for claims, difference in ((after, 1), (before, -1)):
            for claim in claims:
                place = RoutePlace(claim.gateway, claim.listener, claim.hostname)
                self._count(self._claims, place, difference)
                if claim.takes_the_rest:
                    self._count(self._rest, place, difference)

    def _count(self, counts: Counter[RoutePlace], place: RoutePlace, difference: int) -> None:
        known = place in counts
        counts[place] += difference
        if not counts[place]:
            del counts[place]
        if known != (place in counts):
            self.version += 1
