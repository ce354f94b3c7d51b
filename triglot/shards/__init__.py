"""Vectors of passages in Parquet shards: encoded shard by shard, on one machine or a cluster, and read again."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.shards.encode import encode_shards
    from triglot.shards.engines import ENGINES, Engine
    from triglot.shards.folder import Shards
    from triglot.shards.settings import DTYPES, ShardSettings

__all__ = ["DTYPES", "ENGINES", "Engine", "ShardSettings", "Shards", "encode_shards"]
__getattr__ = face(
    __name__,
    {
        "encode": ("encode_shards",),
        "engines": ("ENGINES", "Engine"),
        "folder": ("Shards",),
        "settings": ("DTYPES", "ShardSettings"),
    },
)
