"""What may be set for a store on S3, and what each word must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mypi import options
from mypi.options import Option

_MINIMUM = 5 * 2**20  # S3 refuses smaller parts, but for the last
_MAXIMUM = 5 * 2**30
_LONGEST_LINK = 7 * 86400  # what a signature of version 4 may last
_LONGEST_PREFIX = 120  # a key of a store has up to 900 characters, one of S3 up to 1,024


def bucket_name(value: str) -> str:
    """Take the name of a bucket.

    >>> bucket_name("s3://packages")
    Traceback (most recent call last):
    ...
    ValueError: not the name of a bucket; write letters, digits, dots and hyphens only, such as my-packages
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", value):
        raise ValueError("not the name of a bucket; write letters, digits, dots and hyphens only, such as my-packages")
    return value


def key_prefix(value: str) -> str:
    """Take the folder of the bucket that keys begin with, or nothing; slashes at its ends do not count.

    >>> key_prefix("/teams/acme/")
    'teams/acme'
    """
    found = value.strip("/")
    if len(found) > _LONGEST_PREFIX:
        raise ValueError(f"too long; write at most {_LONGEST_PREFIX} characters")
    if found and not re.fullmatch(r"[A-Za-z0-9_!+-][A-Za-z0-9_.!+-]*(/[A-Za-z0-9_!+-][A-Za-z0-9_.!+-]*)*", found):
        raise ValueError("not a prefix of keys; write names of letters, digits and hyphens joined by /, such as pypi")
    return found


def endpoint(value: str) -> str | None:
    """Take the address of a server, or nothing; credentials have no place in it.

    >>> endpoint("http://127.0.0.1:8333/")
    'http://127.0.0.1:8333'
    """
    found = options.optional_url(value)
    if found and "@" in found:
        raise ValueError("more than an address; write it without a user name, and leave credentials to the SDK")
    return found


def region(value: str) -> str:
    """Take the name of a region, such as ``eu-central-1``, or nothing.

    >>> region("Frankfurt am Main")
    Traceback (most recent call last):
    ...
    ValueError: not the name of a region; write one such as eu-central-1
    """
    if not re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", value):
        raise ValueError("not the name of a region; write one such as eu-central-1")
    return value


def addressing(value: str) -> str:
    """Read where the bucket stands in addresses: ``path``, ``virtual`` (in the host name) or ``auto``.

    >>> addressing("auto")
    'auto'
    """
    return options.one_of(value, "auto", "path", "virtual")


def redirect(value: str) -> str:
    """Read when downloads are sent to the bucket: ``never`` or ``always``.

    >>> redirect("sometimes")
    Traceback (most recent call last):
    ...
    ValueError: not known here; write never or always
    """
    return options.one_of(value, "never", "always")


def link_seconds(value: str) -> int:
    """Read how many seconds a link is good for: at most a week.

    >>> link_seconds("900")
    900
    """
    found = options.positive(value)
    if found > _LONGEST_LINK:
        raise ValueError(f"longer than S3 lets a link live; write at most {_LONGEST_LINK}")
    return found


def part_size(value: str) -> int:
    """Read the size of a part: from 5 MiB to 5 GiB.

    >>> part_size("1 MiB")
    Traceback (most recent call last):
    ...
    ValueError: not a size that S3 takes for a part; write 5 MiB to 5 GiB
    """
    found = options.size(value)
    if not _MINIMUM <= found <= _MAXIMUM:
        raise ValueError("not a size that S3 takes for a part; write 5 MiB to 5 GiB")
    return found


TABLE: tuple[Option, ...] = (
    Option("bucket", bucket_name, None, "The bucket that holds everything."),
    Option("prefix", key_prefix, "", "The folder of the bucket below which everything lies; empty: all of it."),
    Option("endpoint", endpoint, "", "The address of a server that speaks S3; empty: AWS."),
    Option("region", region, "", "The region; empty: as the SDK finds it, or us-east-1 at an endpoint of your own."),
    Option("addressing", addressing, "auto", "Where the bucket stands in addresses; auto: path at your own endpoint."),
    Option("redirect", redirect, "never", "Whether downloads are redirected to the bucket, by links that expire."),
    Option("redirect_seconds", link_seconds, "900", "How long such a link is good for."),
    Option(
        "public_url",
        options.optional_url,
        "",
        "Where everyone may get the objects, such as a CDN in front of the bucket: downloads are redirected there.",
    ),
    Option(
        "part_size",
        part_size,
        "8 MiB",
        "Files of this size or more are sent in parts of it; each upload under way holds one in memory.",
    ),
    Option("timeout", options.positive, "10", "Seconds without an answer after which a request is given up."),
    Option("attempts", options.positive, "4", "How often a request is tried in all."),
)


@dataclass(frozen=True)
class Options:
    """The values of the options, converted."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str
    addressing: str
    redirect: str
    redirect_seconds: int
    public_url: str | None
    part_size: int
    timeout: int
    attempts: int

    @classmethod
    def complete(cls, values: Mapping[str, Any]) -> Options:
        """Return the given values, and the defaults of those that are not given."""
        return cls(
            **{option.name: option.read(option.name, None) for option in TABLE if option.name not in values}, **values
        )
