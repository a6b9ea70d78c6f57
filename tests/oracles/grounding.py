"""Grounding and recovery the slow way: one caption, one picture and one hidden word at a time, in float64."""

from __future__ import annotations

import math
import re

import torch

from tireid.data.images import load_image
from tireid.pedestrians.words import COLOURS, TYPES

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
NO_NAMES = {"dark", "light", "bright", "pale", "plain", "off", "coloured"}


def cut(text):
    return re.findall(r"[a-z]+|[0-9]|[^a-z0-9\s]+", text.lower())


def phrases(kind):
    """(meaning, words) of every way to name a colour or a garment; what is carried comes behind the garments."""
    names = list(COLOURS) if kind == "colour" else list(TYPES)[: list(TYPES).index("backpack")]
    table = COLOURS if kind == "colour" else TYPES
    return [(name, cut(way)) for name in names for side in (0, 1) for way in table[name][side]]


def meant(kind, words, place):
    """The meanings of the longest phrase that covers the word at `place`."""
    covering = []
    for name, phrase in phrases(kind):
        for start in range(len(words)):
            if start <= place < start + len(phrase) and words[start : start + len(phrase)] == phrase:
                covering.append((len(phrase), name))
    longest = max((length for length, _ in covering), default=0)
    return {name for length, name in covering if length == longest}


def counted(model, caption):
    """(position, kind, number of the word) of each colour or garment that is one token."""
    words, position, found = cut(caption), 1, []
    for number, word in enumerate(words):
        pieces = len(model.tokenizer([word])[0].nonzero()) - 2  # padding is 0; start and end are not
        for kind in ("colour", "garment"):
            ends = {phrase[-1] for _, phrase in phrases(kind)} - NO_NAMES
            if pieces == 1 and word in ends and meant(kind, words, number):
                found.append((position, kind, number))
                break
        position += pieces
    return found


def look(model, path):
    """Tokens (1, M, D) and global feature (1, D) of one picture."""
    picture = load_image(path, model.backbone.image_size).double()  # the resize has an oracle of its own
    channels = [(picture[channel] / 255 - MEAN[channel]) / DEVIATION[channel] for channel in range(3)]
    return model.backbone.encode_image(torch.stack(channels)[None])


def read(model, ids, picture):
    """One caption (L,) without padding, after it looked at one picture: (L, D)."""
    return model.interact(model.backbone.encode_text(ids[None]).tokens, picture.tokens, torch.ones(1, len(ids)).bool())[
        0
    ]


def guesses(model, captions, paths, hidden_rows=None):
    """(caption, position, kind, right, nats) of each hidden word; `hidden_rows` are the captions with words hidden.

    Without them each counted word is hidden by itself.
    """
    model, rows = model.double().eval(), []
    with torch.no_grad():
        for number, (caption, path) in enumerate(zip(captions, paths, strict=True)):
            whole, picture = model.tokenizer([caption], trim=True)[0], look(model, path)
            for position, kind, place in counted(model, caption):
                ids = whole.clone() if hidden_rows is None else hidden_rows[number][: len(whole)]
                if hidden_rows is None:
                    ids[position] = model.tokenizer.mask_id
                elif ids[position] != model.tokenizer.mask_id:
                    continue
                scores = model.mlm_head(read(model, ids, picture)[position]).tolist()
                top = max(range(len(scores)), key=scores.__getitem__)
                total = math.fsum(math.exp(score - scores[top]) for score in scores)
                nats = math.log(total) - scores[whole[position]] + scores[top]
                words, answer = cut(caption), cut(model.tokenizer.decode([top]))
                swapped = words[:place] + answer + words[place + 1 :]
                same = len(answer) == 1 and meant(kind, words, place) & meant(kind, swapped, place)
                rows.append((number, position, kind, int(bool(same)), nats))
    return rows


def found(model, captions, people, paths, hidden_rows):
    """Per caption whether the person's caption stands first, for the queries masked, recovered and picture."""
    model, rows = model.double().eval(), []
    with torch.no_grad():
        clean = [model.backbone.encode_text(model.tokenizer([text], trim=True)).pooled[0] for text in captions]
        for caption, path, person, ids in zip(captions, paths, people, hidden_rows, strict=True):
            ids = ids[: len(model.tokenizer([caption], trim=True)[0])]
            picture = look(model, path)
            queries = [
                model.backbone.encode_text(ids[None]).pooled[0],
                model.recovery_head(read(model, ids, picture)[-1]),
                picture.pooled[0],
            ]
            hits = []
            for query in queries:
                cosines = [float(query @ other / query.norm() / other.norm()) for other in clean]
                hits.append(100 * int(people[cosines.index(max(cosines))] == person))
            rows.append(hits)
    return rows
