"""Whether what serves is the release: by the name a server gives it, a person's word, and the files since.

A server cannot prove which weights it has loaded. What counts is the release's own name in its list, given by who
deployed it, or the verdict that a person wrote into the settings after looking. Knows no engine.
"""

import datetime
import re
from collections.abc import Callable
from pathlib import Path

from prescreen.release import CURRENT, Release
from prescreen.run import hash_file
from prescreen.service.engine.probe import Served

Standing = Callable[[], str]


def stands() -> str:
    """Of what needs no release: always."""
    return ""


def served_name(release: Release) -> str:
    """The name a server must serve a release under for its list to count as its word: candidate and weights."""
    return f"{release.candidate}-{release.weights[:12]}"


def compare(release: Release, model: str, confirmed: str, served: Served | None) -> str:
    """Why this server may not count as serving the release; empty where its own list or a person says it does.

    A list that names another model's weights under the candidate's name is believed before the settings.
    """
    name = served_name(release)
    listed = (served.id, Path(served.root).name) if served else ()
    versioned = re.compile(re.escape(release.candidate) + r"-[0-9a-f]{12}")
    stale = [told for told in (model, *listed) if versioned.fullmatch(told) and told != name]
    if stale:
        return f"the server serves {stale[0]}, the release is {name}; serve that one"
    if name in listed:
        return ""
    if confirmed == release.verdict:
        return ""
    if confirmed:
        return "the settings confirm another verdict than the release's; look at the server and confirm anew"
    return (
        f"nobody can tell that the server serves the release; serve it as {name} or confirm "
        f"released: {release.verdict}"
    )


def watch(releases: Path, release: Release) -> Standing:
    """Asked before every question: the verdict has not lapsed, and nothing was promoted or rolled back since.

    The bytes of the weights are compared at the start alone: they are in memory by then.
    """
    path = releases / CURRENT
    known = hash_file(path)

    def stand() -> str:
        if datetime.datetime.now(datetime.UTC).date() > release.expires:
            return f"the verdict on {release.candidate} lapsed on {release.expires}; run the gate again"
        try:
            changed = hash_file(path) != known
        except OSError:
            return "the current release cannot be read; restore it and restart the service"
        return "the current release changed since the start; it is being opened anew" if changed else ""

    return stand
