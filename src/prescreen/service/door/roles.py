"""Who may use which route: one table, and nothing is allowed that is not in it. Knows no session and no page.

A page builder adds a row here; `check_routes` stops the start of a service whose routes and rows differ. A row
that ends in `*` stands for all routes that begin so.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from prescreen.errors import GuardError

if TYPE_CHECKING:
    from fastapi import FastAPI

ANYONE: Final = frozenset({"anyone"})
PATIENT: Final = frozenset({"patient"})
SIGNERS: Final = frozenset({"nurse", "physician"})
ADMIN: Final = frozenset({"admin"})
AUDITOR: Final = frozenset({"auditor"})
STAFF: Final = SIGNERS | ADMIN | AUDITOR
RECORD: Final = frozenset({"service", "physician"})
HOOKS: Final = frozenset({"hooks"})
ROLES: Final = STAFF | PATIENT | ANYONE | HOOKS | {"service"}


def _rows(names: str, roles: frozenset[str]) -> dict[str, frozenset[str]]:
    return dict.fromkeys(names.split(), roles)


ROUTES: Final[Mapping[str, frozenset[str]]] = {
    **_rows("live ready static start sign-in sign-in-post oidc-start oidc-back", ANYONE),
    **_rows("patient-welcome patient-begin patient-invited patient-resume patient-resume-post", ANYONE),
    **_rows("patient-name patient-name-post patient-step patient-answer patient-back patient-change", PATIENT),
    **_rows("patient-opt-out patient-wait patient-news patient-reply patient-leave", PATIENT),
    **_rows("queue queue-rows handover handover-post", SIGNERS),
    **_rows("visit visit-claim visit-release visit-level visit-blind visit-sign visit-undo visit-ask", SIGNERS),
    **_rows("visit-assign visit-facts visit-reopen visit-print visit-invite visit-incident", SIGNERS),
    **_rows("glass glass-post launch launch-back", SIGNERS),
    **_rows("sheet changes", ADMIN | frozenset({"physician"})),
    **_rows("change-accept", frozenset({"physician"})),  # whether care may stay changed is no admin's question
    **_rows("model", ADMIN | AUDITOR | frozenset({"physician"})),
    **_rows("model-sign model-end model-back", ADMIN | frozenset({"physician"})),
    **_rows("users user-add user-change outbox outbox-again system", ADMIN),
    **_rows("audit audit-visit grants grant-look", AUDITOR),
    **_rows("account account-password account-totp sign-out", STAFF),
    **_rows("fhir-*", RECORD),
    **_rows("hooks", ANYONE),
    **_rows("hooks-call", HOOKS),
}
PASSIVE: Final = frozenset({"queue-rows"})  # pages that ask by themselves: they do not keep a session alive
UNFINISHED: Final = frozenset({"account", "account-password", "account-totp", "sign-out"})  # before all is set up
HOME: Final = {"nurse": "queue", "physician": "queue", "admin": "users", "auditor": "audit"}


def roles_of(name: str, table: Mapping[str, frozenset[str]] = ROUTES) -> frozenset[str]:
    """The roles a route is for; none for a route without a row."""
    if name in table:
        return table[name]
    rows = [roles for row, roles in table.items() if row.endswith("*") and name.startswith(row[:-1])]
    return rows[0] if rows else frozenset()


def check_routes(
    app: "FastAPI", table: Mapping[str, frozenset[str]] = ROUTES, off: Collection[str] = ()
) -> list[str]:
    """The names of all routes; GuardError where one has no row, a row has no route, or one stands unguarded.

    `off` names rows of what this service does not offer, e.g. `oidc-*` where nobody signs in elsewhere.
    """
    from fastapi.routing import iter_route_contexts

    from prescreen.service.door.identity import guard

    names, faults = [], []
    for route in iter_route_contexts(app.routes):
        name = route.name or ""
        names.append(name)
        roles = roles_of(name, table)
        if not roles or not roles <= ROLES:
            faults.append(f"route {name or route.path} has no row of known roles")
        elif route.methods is None:
            if roles != ANYONE:
                faults.append(f"{name} is no single route: what is mounted may be public only")
        elif guard not in _calls(route.dependant):
            faults.append(f"route {name} is not guarded")
    known = {name for name in names if name in table}
    for row in table:
        used = row in known or (row.endswith("*") and any(name.startswith(row[:-1]) for name in names))
        if not used and not any(row == item or (item.endswith("*") and row.startswith(item[:-1])) for item in off):
            faults.append(f"row {row} has no route")
    if faults:
        raise GuardError("the table of roles in service/door/roles.py does not fit: " + "; ".join(sorted(faults)))
    return names


def _calls(dependant: object) -> list[object]:
    return [part.call for part in dependant.dependencies]  # type: ignore[attr-defined]
