from tests.search.conftest import crops, model

__all__ = ["crops", "model"]
