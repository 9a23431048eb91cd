"""Checks each chart once, before its first use, and enqueues the Workspaces that wait for the result.

A check takes about a second, so checks run in the background, one at a time. A chart that failed is checked again with growing delays: its
registry may become available, and its tag may be moved to a corrected chart.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from pyhelm3.errors import Error as HelmError

from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.helm.chart_rendering import ChartReport, ChartUnreadableError, render_and_check, words
from workspace_ctrl.kube.backoff import Backoff, BackoffPolicy
from workspace_ctrl.kube.store import Key
from workspace_ctrl.kube.tasks import log_failure
from workspace_ctrl.model.chart_verdicts import ChartId, ChartVerdict

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

_POLICY: Final = BackoffPolicy(first=15.0, longest=600.0)
"""Delays between checks of a chart that failed."""


class NoChartVerifier:
    """Stands for a verifier where charts are not checked."""

    verdicts: Mapping[ChartId, ChartVerdict] | None = None

    def verify(self, chart: ChartId, key: Key) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class ChartVerifier:
    """The results of chart checks, by chart."""

    def __init__(
        self,
        program: str,
        changed: Callable[[Key], None],
        look: Callable[[str, ChartId], Awaitable[ChartReport]] = render_and_check,
    ) -> None:
        self._program = program
        self._changed = changed
        self._look = look
        self._interested: dict[ChartId, set[Key]] = {}
        self._backoffs: dict[ChartId, Backoff] = {}
        self._tasks: dict[ChartId, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()
        self.verdicts: dict[ChartId, ChartVerdict] = {}
        """The known results."""

    def verify(self, chart: ChartId, key: Key) -> None:
        """Check `chart` if its result is not known; the Workspace `key` is enqueued at the next result, or when a failed one expires."""
        self._interested.setdefault(chart, set()).add(key)
        if chart not in self.verdicts and chart not in self._tasks:
            task = self._tasks[chart] = asyncio.create_task(self._find_out(chart), name=f"look at chart {chart}")
            task.add_done_callback(_log_failure)

    async def close(self) -> None:
        """Stop all checks."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _find_out(self, chart: ChartId) -> None:
        try:
            async with self._turn:
                found = await self._finding(chart)
            self.verdicts[chart] = found
            self._tell(chart)
            if found.holds:
                logger.info("chart %s matches its layout", chart)
                return
            logger.warning("%s", found.message)
            now = asyncio.get_running_loop().time()
            backoff = self._backoffs[chart] = self._backoffs.get(chart, Backoff(_POLICY)).again(now)
            await asyncio.sleep(backoff.delay)
            del self.verdicts[chart]
        finally:
            self._tasks.pop(chart, None)
        self._tell(chart)  # Workspaces that still wait call `look` again

    async def _finding(self, chart: ChartId) -> ChartVerdict:
        try:
            report = await self._look(self._program, chart)
        except (HelmError, OSError) as error:
            remedy = "check that the controller can reach the registry; retrying"
            return ChartVerdict("ChartNotChecked", f"chart {chart} cannot be checked: Helm failed: {words(error)}; {remedy}")
        except ChartUnreadableError as error:
            text = f"chart {chart} cannot be used: {words(error)}; choose another version"
            return ChartVerdict("ChartCheckFailed", text, terminal=True)
        except UnknownChartError as error:
            return ChartVerdict("ChartVersionUnknown", f"chart {chart}: {words(error)}", terminal=True)
        except Exception as error:  # charts are untrusted: an unexpected error is a result, too, and the check is repeated
            logger.exception("chart %s could not be checked", chart)
            text = f"chart {chart} cannot be checked ({type(error).__name__}; see the controller's log); retrying"
            return ChartVerdict("ChartNotChecked", text)
        return verdict_of(chart, report)

    def _tell(self, chart: ChartId) -> None:
        for key in self._interested.pop(chart, ()):
            self._changed(key)


def verdict_of(chart: ChartId, report: ChartReport) -> ChartVerdict:
    """Return the verdict on `chart` after a check."""
    broken = [check for check in report.checks if not check.holds]
    if not broken:
        return ChartVerdict()
    first, others = broken[0], len(broken) - 1
    more = f", and {others} more {'differ' if others > 1 else 'differs'}" if others else ""
    see = f"see workspace-ctrl chart check {chart.url} --version {chart.version}"
    text = f'chart {chart} does not match its layout: "{first.name}": {first.found}{more}; use another version; {see}'
    return ChartVerdict("ChartCheckFailed", text, terminal=True)
