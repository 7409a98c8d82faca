"""What PyPI checks of an upload, numbered in its order, and what specifications ask of an index beside that.

Where a check only makes PyPI tidier, mypi has it as a rule that an operator switches on (``mypi.refuse``).
"""

from .rule import Rule

CHECKS = (
    Rule("C0", "PYPI CLIENT", "Only POST publishes, at the address with and without its slash."),
    Rule("C1", "PYPI", "Words for nothing, NUL and texts sent as files are dealt with before anything is checked."),
    Rule("C2", "PYPI", "Nobody uploads where uploading is switched off, and no stranger where it needs a user."),
    Rule("C3", "PYPI", "Another protocol version is 400."),
    Rule("C4", "PYPI", "A malformed name, kind or digest is 400, and so is an upload without any digest."),
    Rule("C5", "PYPI MUST", "Wrong fields of the metadata are refused by the rules that are switched on for them."),
    Rule("C6", "PYPI", "An upload without a file is 400."),
    Rule("C7", "PYPI", "A project is not named like a module of the standard library if the rule is on."),
    Rule(
        "C7 lookalikes",
        "PYPI",
        "A new project's name does not look like another's.",
        "Whoever may publish to a private index is known to its operator, and related names are usual there.",
    ),
    Rule("C8", "PYPI", "Whoever has no right to a project gets 403, which names both."),
    Rule(
        "C9",
        "PYPI",
        "A description can be rendered.",
        "mypi renders no descriptions, so it has nothing that could fail.",
    ),
    Rule("C10", "PYPI", "A file name is plain text without a path, and its ending fits its kind."),
    Rule(
        "C11",
        "PYPI",
        "The type of the part with the file is not that of an image.",
        "mypi opens the file itself; what a client says of its type, if anything (B1.7), changes nothing.",
    ),
    Rule("C12", "PYPI", "A file over the limit is refused while it comes in, with 413 where PyPI says 400."),
    Rule(
        "C12 project",
        "PYPI",
        "All files of a project together stay within a limit.",
        "The disk is the operator's. A full one refuses uploads with 507 and loses nothing.",
    ),
    Rule("C13", "PYPI", "A digest that does not fit is 400."),
    Rule("C14", "PYPI", "The same file again is recognised before its contents are checked."),
    Rule(
        "C14 contents",
        "PYPI",
        "The same bytes are not published under two names.",
        "Files of the same bytes harm nobody, and a refusal would tell what is in projects that others cannot see.",
    ),
    Rule("C15", "PYPI", "The name of a file that was removed stays taken."),
    Rule("C16", "PYPI", "A release takes no files after 14 days if the rule is on."),
    Rule("C17", "PYPI", "A release has one sdist if the rule is on."),
    Rule("C18", "PYPI", "Archives are what their names say, have one top folder or .dist-info, and no bomb in them."),
    Rule("C19", "PYPI", "A zip can be read in one way only."),
    Rule("C20", "PYPI SHOULD", "An sdist is named as PEP 625 says, and is no zip, if the rules are on."),
    Rule("C21", "PYPI MUST", "Every License-File is in the archive if the rule is on."),
    Rule("C22", "PYPI MUST", "A wheel's name can be read and fits what is in it; platforms are PyPI's by a rule."),
    Rule("C23", "PYPI MUST", "RECORD lists every file with the right digest; PyPI only writes an e-mail about that."),
    Rule("C24", "PYPI", "Entry points can be read, and no script's name is a path."),
    Rule("C25", "PYPI MUST", "A wheel has its METADATA, which is kept beside it."),
    Rule(
        "C26",
        "PYPI",
        "Attestations are verified against the identity of the publisher.",
    ),
    Rule("C27", "PYPI", "What has passed is stored, and the answer is 200 with an empty body."),
    Rule("C identity", "MUST", "File name, .dist-info folder and the metadata in it name the same release."),
    Rule("C paths", "MUST", "Nothing in an archive leads out of the folder that it is unpacked into."),
    Rule("C versions", "MUST SHOULD", "Metadata of an unknown major version is refused, of a newer minor one read."),
    Rule("C PEP 639", "MUST", "A licence expression is valid and stands alone if the rule is on."),
    Rule(
        "C PEP 753",
        "MUST",
        "Labelled addresses go before the older fields for home page and download.",
        "The older JSON hands on both, each under its own key as PyPI does; no page chooses between them.",
    ),
)
