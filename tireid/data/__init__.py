"""From files to batches: annotations, pictures, captions and samplers."""

from tireid.basics.folders import cache_dir
from tireid.basics.formats import DATASETS, LAYOUTS, Counts, Layout
from tireid.data.annotations import read_annotations
from tireid.data.augment import Augment
from tireid.data.batches import Batch, PKBatchSampler, RandomBatchSampler, make_loader
from tireid.data.cache import ImageCache, clean_cache
from tireid.data.checks import CheckReport
from tireid.data.dataset import Dataset, Reader, load_dataset
from tireid.data.images import IMAGE_MEAN, IMAGE_STD, ImageError, load_image, normalize
from tireid.data.masking import MaskedTokens, SpecialIds, eot_positions, mask_tokens, real_token_mask, word_mask
from tireid.data.rows import AnnotationError, Record
from tireid.data.split import Split
from tireid.data.text import Tokenizer

__all__ = [
    "DATASETS",
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
    "Reader",
    "Record",
    "SpecialIds",
    "Split",
    "Tokenizer",
    "cache_dir",
    "clean_cache",
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
