"""What others have made, joined to an archive: each module is imported on use, and needs an extra of its own."""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.integrations.dask import cluster

__all__ = ["cluster"]

__getattr__ = imports_on_use(__name__, {"cluster": "dask"})
