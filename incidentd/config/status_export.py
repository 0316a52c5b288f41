"""`status_page.export`: where copies of the page stand that need no daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from incidentd.config.section import Section
from incidentd.fields import BaseUrl, Secret


class Bucket(Section):
    """A bucket that speaks Amazon S3's API: AWS, MinIO, Ceph, Cloudflare R2, Google's interoperability mode."""

    endpoint: BaseUrl
    """Its address without the bucket, such as `https://s3.eu-central-1.amazonaws.com`."""
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    """The bucket's name."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = "us-east-1"
    """The region that requests are signed for; `auto` for Cloudflare."""
    prefix: Annotated[str, Field(pattern=r"^(?:[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*)?$")] = ""
    """The folder in the bucket, without slashes at its ends; empty: the top."""
    access_key: Secret
    """Who writes. It needs `s3:PutObject` below the prefix and nothing else."""
    secret_key: Secret
    """What signs its requests; never sent."""
    session_token: Secret | None = None
    """Of temporary credentials."""
    path_style: bool = True
    """`endpoint/bucket/key`; false: `bucket.endpoint/key`."""


class Export(Section):
    """Copies of the whole public page, made anew after every change: see [status-export.md](status-export.md)."""

    directory: Path | None = None
    """A folder of its own. A web server serves `current` in it, a link that is moved on when a copy is complete."""
    bucket: Bucket | None = None
    """A bucket in an object store; of several replicas one writes at a time."""

    @property
    def wanted(self) -> bool:
        """There is somewhere to export to."""
        return self.directory is not None or self.bucket is not None

    @model_validator(mode="after")
    def _folder_of_its_own(self) -> Self:
        if self.directory is not None and self.directory.is_absolute() and len(self.directory.parts) < 2:  # noqa: PLR2004 - the root and a name
            raise ValueError("directory is the root of the disk; accepted: a folder of its own")
        return self
