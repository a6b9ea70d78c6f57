"""Whose data a run's folder was made with, so that no figures are taken for those of other data."""

from __future__ import annotations

from tireid.basics.files import read_json, write_json
from tireid.data import Dataset, load_dataset
from tireid.options import Config
from tireid.train.folder import RunFolder
from tireid.train.run import TrainingError


def claim_data(folder: RunFolder, config: Config, data: Dataset | None) -> Dataset | None:
    """The data to train on, the same that the folder's run began with; None where a finished run's data are gone.

    Raises:
        TrainingError: `data`, or what lies on disk now, is not what the run began with.
        ValueError: there is nothing to train or to test on.
    """
    try:
        data = data or load_dataset(config.dataset, config.root)
    except (ValueError, OSError):
        if folder.finished:  # the figures are whole, and can still be read
            return None
        raise
    if not folder.finished:
        data.split("train")
        data.split("test")
    path = folder.path / "data.json"
    about = {"name": data.name, "fingerprint": data.fingerprint}
    if folder.empty or not path.exists():
        write_json(path, about)
    elif (known := read_json(path)) != about:
        raise TrainingError(
            f"{folder.path} holds a run on other data ({known.get('name')}, fingerprint {known.get('fingerprint')}; "
            f"now {data.name}, {data.fingerprint}): captions, people, splits or pictures are not the same. "
            "Choose another output_dir or delete it"
        )
    return data
