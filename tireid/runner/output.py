"""What a kernel prints, up to a limit: an endless loop of prints must not take the memory of the machine."""

from __future__ import annotations

from typing import Any

from tireid.basics.extras import extra

with extra("notebooks"):
    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.channels import AsyncZMQSocketChannel
    from traitlets import Type

CELL_CHARACTERS = 20_000_000
"""Characters that one cell may print; a notebook with more opens in no browser."""


class _Limited(AsyncZMQSocketChannel):
    """Passes on the first `CELL_CHARACTERS` that a cell prints, then one line that says so, then nothing."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._cell, self._printed = "", 0

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]
        while True:
            message = await super().get_msg(timeout)
            if message["msg_type"] != "stream":
                return message
            if (cell := message["parent_header"].get("msg_id", "")) != self._cell:
                self._cell, self._printed = cell, 0
            left = CELL_CHARACTERS - self._printed
            text = message["content"]["text"]
            self._printed += len(text)
            if len(text) > left >= 0:
                cut = f"\n[output of this cell beyond {CELL_CHARACTERS:,} characters was dropped]\n"
                message["content"]["text"] = text[:left] + cut
            if left >= 0:
                return message


class LimitedClient(AsyncKernelClient):
    """A kernel's client that keeps of a cell's printed output the first `CELL_CHARACTERS`."""

    iopub_channel_class = Type(_Limited)  # type: ignore[assignment]
