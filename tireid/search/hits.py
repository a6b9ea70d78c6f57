"""The result of a search: a ranked list that can be read, drawn, tabulated and saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from tireid.basics import terminal
from tireid.basics.files import write_atomically
from tireid.show import cards

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Hit(cards.Card):
    """One picture of a ranked list.

    >>> Hit(1, Path("cam_a/1.jpg"), "cam_a/1.jpg", score=0.7, person_id=7).name
    'cam_a/1.jpg'
    """

    camera: int | None = None
    row: int = -1
    """Its place in the gallery; -1 where it comes from none."""


@dataclass(frozen=True)
class Hits(Sequence[Hit]):
    """Ranked pictures of one query; a sequence of :class:`Hit`.

    >>> hits = Hits((Hit(1, Path("/d/a.jpg"), "a.jpg", 0.75, person_id=3, correct=True),), text="a man in blue")
    >>> print(hits)
    1 hit for "a man in blue"
     1  0.75  ✓  a.jpg  person 3
    """

    items: tuple[Hit, ...]
    text: str | None = None
    """The description that was searched for."""
    image: Any = field(default=None, repr=False)
    """The picture that was searched for: a path or a PIL picture."""
    among: int = 0
    """How many pictures were ranked: those that the filters leave."""
    first_right: int | None = None
    """Rank of the first right picture among them all; None where nobody knows who is right, or where nobody is."""
    notes: tuple[str, ...] = ()
    """What the model's domain says of the description and these pictures: sentences that the user should read."""
    domain: str = ""
    """What the model was trained on, in words to display."""

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Hits: ...
    def __getitem__(self, index: int | slice) -> Hit | Hits:
        if isinstance(index, slice):
            return Hits(self.items[index], self.text, self.image, self.among, self.first_right, self.notes, self.domain)
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.items)

    @property
    def table(self) -> pd.DataFrame:
        """A row per hit: rank, name, score, person_id, camera, correct, path (text)."""
        columns = ["rank", "name", "score", "person_id", "camera", "correct", "path"]
        rows = [[str(hit.path) if name == "path" else getattr(hit, name) for name in columns] for hit in self]
        table = pd.DataFrame(rows, columns=columns, dtype=object)  # Arrow's text takes no name outside UTF-8
        kinds = {"rank": "int64", "score": "float64", "person_id": "Int64", "camera": "Int64", "correct": "boolean"}
        return table.astype(kinds)

    @property
    def title(self) -> str:
        """How many hits, and for which query."""
        parts = [f'"{self.text}"'] if self.text is not None else []
        parts += ["a picture"] if self.image is not None else []
        return f"{len(self)} hit{'' if len(self) == 1 else 's'} for {' and '.join(parts) or 'a query'}"

    def __str__(self) -> str:
        return "\n".join(
            [cards.listing(self.title, self), *(terminal.printable(f"note: {note}") for note in self.notes)]
        )

    def show(self, columns: int = 5, width: int = 96) -> cards.Rendered:
        """The pictures in rank order, to be the last line of a notebook cell; elsewhere it prints the list.

        Args:
            columns: pictures in a row.
            width: of a picture, in pixels.
        """
        return cards.Rendered(self._html(columns, width), str(self))

    def figure(self, columns: int = 5, width: float = 1.3) -> Figure:
        """The same as a matplotlib figure, `width` inches a picture; its attribute `alt_text` describes it.

        Raises:
            ImportError: matplotlib is missing; names the extra that brings it.
        """
        return cards.figure(self.title, self, columns=columns, width=width)

    def save_html(self, path: str | Path, columns: int = 5, width: int = 96) -> Path:
        """Write a page that holds its pictures and opens without a network; returns its path."""
        write_atomically(path, cards.html_page(self.title, self._html(columns, width)))
        return Path(path)

    def _html(self, columns: int, width: int) -> str:
        told = "".join(f'<p role="note" style="margin:4px 0">{cards.safe(note)}</p>' for note in self.notes)
        known = f"<details><summary>What the model knows</summary><p>{cards.safe(self.domain)}</p></details>"
        grid = cards.grid_html(self.title, self, query=self.image, columns=columns, width=width)
        return told + grid + (known if self.domain else "")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.show()._repr_mimebundle_()
