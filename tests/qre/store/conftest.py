"""The places that a store can lie in: a folder, a bucket on a real S3 server, a bucket on an emulator of Google's."""

import pytest

from qre.store import Store
from tests import gs
from tests.s3 import s3  # noqa: F401


@pytest.fixture(params=["folder", "s3", "gs"])
def location(request, tmp_path) -> str:
    """Where nothing is yet."""
    if request.param == "folder":
        return str(tmp_path / "store")
    if request.param == "s3":
        return request.getfixturevalue("s3").location()
    return gs.shared_server().location()


@pytest.fixture
def store(location):
    return Store(location)
