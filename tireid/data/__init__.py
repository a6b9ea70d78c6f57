"""From files to batches: annotations, pictures, captions and samplers."""

from tireid.data.annotations import LAYOUTS, AnnotationError, Counts, Layout, Record, read_annotations
from tireid.data.batches import Batch, PKBatchSampler, RandomBatchSampler, make_loader
from tireid.data.checks import CheckReport
from tireid.data.dataset import Dataset, Split, load_dataset
from tireid.data.images import (
    IMAGE_MEAN,
    IMAGE_STD,
    Augment,
    ImageCache,
    ImageError,
    cache_dir,
    load_image,
    normalize,
)
from tireid.data.masking import MaskedTokens, SpecialIds, eot_positions, mask_tokens, real_token_mask, word_mask
from tireid.data.text import Tokenizer

__all__ = [
    "IMAGE_MEAN",
    "IMAGE_STD",
    "LAYOUTS",
    "AnnotationError",
    "Augment",
    "Batch",
    "CheckReport",
    "Counts",
    "Dataset",
    "ImageCache",
    "ImageError",
    "Layout",
    "MaskedTokens",
    "PKBatchSampler",
    "RandomBatchSampler",
    "Record",
    "SpecialIds",
    "Split",
    "Tokenizer",
    "cache_dir",
    "eot_positions",
    "load_dataset",
    "load_image",
    "make_loader",
    "mask_tokens",
    "normalize",
    "read_annotations",
    "real_token_mask",
    "word_mask",
]
