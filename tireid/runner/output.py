"""What a kernel prints and shows, up to a limit: an endless loop of prints must not take the memory of the machine."""

from __future__ import annotations

import json
from typing import Any

from tireid.basics.extras import extra

with extra("notebooks"):
    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.channels import AsyncZMQSocketChannel
    from traitlets import Type

CELL_CHARACTERS = 20_000_000
"""Characters that one cell may print, that its displays may have, and its error; with more it opens in no browser."""
DISPLAYS = ("display_data", "execute_result", "update_display_data")


class _Limited(AsyncZMQSocketChannel):
    """Passes on the first `CELL_CHARACTERS` that a cell prints, then one line that says so, then nothing.

    Of a cell's displays a line stands for each that has no room beside those before it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._cell, self._printed, self._shown = "", 0, 0

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]
        while True:
            message = await super().get_msg(timeout)
            kind, content = message["msg_type"], message["content"]
            cell = message["parent_header"].get("msg_id", "")
            if kind in ("stream", *DISPLAYS) and cell != self._cell:  # other messages come between those of a cell
                self._cell, self._printed, self._shown = cell, 0, 0
            if kind == "stream" and not self._limit_print(content):
                continue
            if kind in DISPLAYS:
                self._limit_display(content)
            elif kind == "error" and sum(map(len, content["traceback"])) > CELL_CHARACTERS:
                content["traceback"] = [f"[a traceback of more than {CELL_CHARACTERS:,} characters was dropped]"]
                content["evalue"] = content["evalue"][:CELL_CHARACTERS]
            return message

    def _limit_print(self, content: dict[str, Any]) -> bool:
        """Cut it; whether anything is to be passed on."""
        left, text = CELL_CHARACTERS - self._printed, content["text"]
        self._printed += len(text)
        if len(text) > left >= 0:
            cut = f"\n[output of this cell beyond {CELL_CHARACTERS:,} characters was dropped]\n"
            content["text"] = text[:left] + cut
        return left >= 0

    def _limit_display(self, content: dict[str, Any]) -> None:
        size = len(json.dumps(content["data"], ensure_ascii=False))
        if self._shown + size <= CELL_CHARACTERS:
            self._shown += size
            return
        words = f"[a display of {size:,} characters was dropped: those of a cell have at most {CELL_CHARACTERS:,}]"
        content |= {"data": {"text/plain": words}, "metadata": {}}


class LimitedClient(AsyncKernelClient):
    """A kernel's client that keeps of what a cell prints and shows the first `CELL_CHARACTERS`."""

    iopub_channel_class = Type(_Limited)  # type: ignore[assignment]
