"""Clients that install: what they all rely on, and each one's own requests."""

from .rule import Rule

CLIENTS = (
    Rule("E1", "CLIENT", "A stranger gets 401 with the realm pypi, a user who may not read gets 404."),
    Rule(
        "E2",
        "CLIENT",
        "pip that must not ask shows a 401 as a project without versions.",
        "It is what pip prints, and nothing that a server could change.",
    ),
    Rule("E3", "CLIENT", "Files are on the host of the index, so that clients send the same credentials for them."),
    Rule("E4", "CLIENT", "A yanked file stays listed and served for whoever pins its version."),
    Rule("E pip9", "CLIENT", "pip 9 and 10 read plain HTML and fetch the whole wheel, the password sent at once."),
    Rule("E pip18", "CLIENT", "pip 18 to 20 read plain HTML; 20.3 can take a wheel in ranges after HEAD."),
    Rule("E pip22", "CLIENT", "pip 22.2 to 25 read JSON without what crashes them, metadata, and resume a download."),
    Rule("E pip26", "CLIENT", "pip 26 revalidates each page, and its metadata is that of the wheel."),
    Rule("E uv", "CLIENT", "uv asks without credentials first, reads JSON without nulls, metadata, and ranges."),
    Rule("E poetry", "CLIENT", "poetry reads JSON and takes the end of a wheel without asking for its size."),
    Rule("E pdm", "CLIENT", "pdm, which would unpack them, gets sdists as they are."),
    Rule("E pipenv", "CLIENT", "pipenv finds digests in HTML at an address with a slash too many."),
    Rule("E easy_install", "CLIENT", "easy_install finds a project by the name that the user wrote, or in the list."),
    Rule(
        "E conda",
        "CLIENT",
        "pip in an environment of conda installs.",
        "It is pip as it is elsewhere, and asks nothing more of an index.",
    ),
)
