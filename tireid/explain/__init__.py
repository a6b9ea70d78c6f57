"""Why a picture was found, how sure an answer is, and what to ask next."""

from tireid.explain.confidence import QuerySpread
from tireid.explain.failures import person_attributes
from tireid.explain.hidden_words import predict_masked, recover_global, token_words, top_words
from tireid.explain.where import covered

__all__ = [
    "QuerySpread",
    "covered",
    "person_attributes",
    "predict_masked",
    "recover_global",
    "token_words",
    "top_words",
]
