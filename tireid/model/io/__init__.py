"""Weights from files: one module per source, and :func:`load`, which tells them apart.

Nothing in a file is executed, and nothing is fetched unless the user names a hub id. What is read comes back as
:class:`Parts`, from which the model is put together; the model knows this room, this room does not know the model.
"""

from tireid.model.io.own import save
from tireid.model.io.parts import Parts
from tireid.model.io.resolve import BUNDLED, load
from tireid.model.io.words import find_tokenizer, fit

__all__ = ["BUNDLED", "Parts", "find_tokenizer", "fit", "load", "save"]
