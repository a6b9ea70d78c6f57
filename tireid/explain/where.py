"""Where in a picture a word is found, by attention and by hiding, and how much of that lies on the garment it names.

Attention says what the interaction encoder reads for a word. Hiding asks the feature that ranks the pictures: what does
the cosine lose without a region, that the words around there had added to it?
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.data import Split, load_image, normalize, real_token_mask
from tireid.explain.grounding import BATCH, LEXICONS, counted_words, picture_tokens, split_words
from tireid.model import TIReID
from tireid.model.encoding import evaluating
from tireid.pedestrians import GARMENTS, read_garment_map
from tireid.pedestrians.words import TYPES
from tireid.search.metrics import Floats

BEFORE, PATCHES = 2, 3
"""Words that are left out with the one behind them ("a dark blue coat"), and the side of the square that is hidden, in
patches. Of 0, 1 and 2 words two put most of the map inside the garment, on either half of the default test people."""
_NAMES = list(TYPES)
_ENDS = [_NAMES.index(first) for first in ("trousers", "sneakers", "backpack")]
GARMENT_OF = {
    name: part
    for part, start, end in zip(GARMENTS[1:4], [0, *_ENDS], _ENDS, strict=False)
    for name in _NAMES[start:end]
}
"""Type of an upper or lower garment or of shoes to its name in :data:`tireid.pedestrians.GARMENTS`."""


def covered(model: TIReID, pixels: Tensor) -> Tensor:
    """(1 + h w, 3, H, W): a normalised picture (3, H, W), then with a square around each patch of `model` covered.

    The square takes the mean colour, 0 in normalised `pixels`, which random erasing paints too.

    >>> from tireid import TIReID
    >>> covered(TIReID.from_pretrained("tiny"), torch.ones(3, 96, 32)).shape
    torch.Size([49, 3, 96, 32])
    """
    (rows, columns), size = model.backbone.grid, model.backbone.image_size[0] // model.backbone.grid[0]
    views = pixels.repeat(1 + rows * columns, 1, 1, 1)
    for place in range(rows * columns):
        top, left = ((index - PATCHES // 2) * size for index in divmod(place, columns))
        views[1 + place, :, max(0, top) : top + PATCHES * size, max(0, left) : left + PATCHES * size] = 0.0
    return views


def hidden_features(model: TIReID, pixels: Tensor) -> Tensor:
    """(1 + h w, D), L2-normalised: the features of the :func:`covered` views of a picture (3, H, W)."""
    with evaluating(model):
        features = model.backbone.encode_image(covered(model, pixels).to(model.device)).pooled.float().cpu()
    return F.normalize(features, dim=1)


def hiding_heat(model: TIReID, image: Any, text: str, word_index: int, *, upright: bool = False) -> Floats:
    """(h, w): what the score of `text` loses without the region around each patch, that a word had added to it.

    The loss of the cosine with `text`, minus the loss of the cosine with `text` without the word and the two before it.
    Below 0 nothing is owed to the region. Needs no interaction encoder; costs as many pictures as there are patches.

    Args:
        model: its towers.
        image: a path, a PIL picture or an array uint8 (H, W, 3).
        text: the description.
        word_index: the word, counted from 0, where `text` is split at white space.
        upright: turn a picture as its EXIF orientation says; :attr:`tireid.Gallery.upright` tells what was encoded.

    Raises:
        ValueError: a word that is not there.
    """
    words = text.split()
    if not 0 <= word_index < len(words):
        raise ValueError(f"word_index is {word_index}; the text has {len(words)} words, counted from 0")
    pixels = normalize(load_image(image, model.backbone.image_size, upright=upright)[None])[0]
    both = model.encode_texts([" ".join(words), _without(words, word_index)])
    heat: Floats = torch.unflatten(_owed(hidden_features(model, pixels), both), 0, model.backbone.grid).numpy()
    return heat


def _without(words: list[str], place: int) -> str:
    return " ".join([*words[: max(0, place - BEFORE)], *words[place + 1 :]]) or "a person"


def _owed(seen: Tensor, texts: Tensor) -> Tensor:
    """(..., P) from features (..., 1 + P, D) and texts (..., 2, D)."""
    cosines = seen @ texts.transpose(-1, -2)
    lost = cosines[..., :1, :] - cosines[..., 1:, :]
    return lost[..., 0] - lost[..., 1]


def attention(model: TIReID, input_ids: Tensor, image_tokens: Tensor) -> Tensor:
    """(B, looks, heads, L, M): how much each token of captions (B, L) reads of each image token (B, M, D), per look.

    Raises:
        ValueError: a model without interaction encoder.
    """
    encoder, seen = model.interaction, list[Tensor]()
    if encoder is None:
        raise ValueError("this model has no interaction encoder, so its words attend to no picture: train it with mlm")
    hooks = [
        layer.register_forward_hook(lambda _, __, out: seen.append(out[1].cpu()))
        for layer in [encoder.cross_attn, *encoder.later_attn]
    ]
    try:
        with evaluating(model):
            ids = input_ids.to(model.device)
            text, real = model.backbone.encode_text(ids).tokens, real_token_mask(ids, model.tokenizer.eos_id)
            model.interact(text, image_tokens.to(model.device), real, need_weights=True)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(seen, dim=1)


def garment_shares(model: TIReID, split: Split) -> pd.DataFrame:
    """How much of the map of a garment's word lies inside that garment, for drawn people written with `masks`.

    A row per word of `split` that is one token, names one kind of garment and is seen in the picture: `caption`,
    `person`, `part`, `chance` (share of the picture that the garment covers), `look 1 head 1` ... (attention without
    the class token), `attention` (last look, mean of the heads) and `hiding` (what is above 0), all in percent.

    Raises:
        ValueError: a model without interaction encoder.
        FileNotFoundError: the split was written without masks.
    """
    words, inside = _garment_words(model, split)
    words["chance"] = inside.mean(dim=1).numpy()
    ids, tokens = model.tokenizer(split.captions, trim=True), picture_tokens(model, split)
    size, paths = model.backbone.image_size, split.image_paths
    pictures = {at: load_image(paths[at], size, upright=split.upright) for at in words["image"].unique()}
    hidden = {at: hidden_features(model, normalize(pixels[None])[0]) for at, pixels in pictures.items()}
    spelt, rows = [split_words(caption) for caption in split.captions], []
    for part in torch.split(torch.arange(len(words)), BATCH):
        at = words.iloc[part.numpy()]
        caption, image = (torch.tensor(at[name].to_numpy()) for name in ("caption", "image"))
        read = attention(model, ids[caption], tokens[image])
        read = read[torch.arange(len(at)), :, :, torch.tensor(at["position"].to_numpy()), 1:]
        pairs = zip(at["caption"], at["word"], strict=True)
        texts = [text for c, word in pairs for text in (" ".join(spelt[c]), _without(spelt[c], word))]
        owed = _owed(
            torch.stack([hidden[i] for i in at["image"]]), torch.unflatten(model.encode_texts(texts), 0, (-1, 2))
        )
        maps = [*read.flatten(1, 2).unbind(1), read[:, -1].mean(dim=1), owed.clamp(min=0)]
        shares = [(heat * inside[part]).sum(dim=1) / heat.sum(dim=1).clamp(min=1e-9) for heat in maps]
        rows.append(torch.stack(shares, dim=1))
    heads = [f"look {a} head {b}" for a in range(1, 1 + read.shape[1]) for b in range(1, 1 + read.shape[2])]
    words[[*heads, "attention", "hiding"]] = torch.cat(rows).numpy()
    words[["chance", *heads, "attention", "hiding"]] *= 100
    return words.drop(columns=["position", "kind", "word", "image"])


def _garment_words(model: TIReID, split: Split) -> tuple[pd.DataFrame, Tensor]:
    """The words, and (n, h w) the share of each patch that the garment covers."""
    ids = model.tokenizer(split.captions, trim=True)
    words = pd.DataFrame(counted_words(model.tokenizer, ids), columns=["caption", "position", "kind", "word"])
    words = words[words["kind"] == "garment"]
    spelt = [split_words(caption) for caption in split.captions]
    pairs = zip(words["caption"], words["word"], strict=True)
    parts = [{GARMENT_OF[name] for name in LEXICONS["garment"].meaning(spelt[c], word)} for c, word in pairs]
    words = words.assign(
        person=split.caption_person_ids[words["caption"]],
        part=["".join(part) if len(part) == 1 else "" for part in parts],
        image=split.caption_image_index[words["caption"]],
    )
    words = words[words["part"] != ""].reset_index(drop=True)
    covers = [_on_grid(model, split.image_paths[i], p) for i, p in zip(words["image"], words["part"], strict=True)]
    seen = np.flatnonzero(np.any(covers, axis=1))
    return words.iloc[seen].reset_index(drop=True), torch.from_numpy(np.stack(covers)[seen]).float()


def _on_grid(model: TIReID, picture: Path, part: str) -> Floats:
    """(h w,): the share of each patch that `part` covers."""
    (rows, columns), drawn = model.backbone.grid, read_garment_map(picture) == 1 + GARMENTS.index(part)
    blocks = drawn.reshape(rows, len(drawn) // rows, columns, drawn.shape[1] // columns)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float64).ravel()
