"""One service run at the console: opened, greeted, served until it is told to stop. Knows uvicorn."""

import logging
import signal
import sys
from pathlib import Path

from prescreen.errors import GuardError
from prescreen.pipeline import Stages
from prescreen.service.door.identity import limits_of
from prescreen.service.door.identity_settings import is_loopback
from prescreen.service.house import House
from prescreen.service.opening import find_places, open_app, open_doors, open_house
from prescreen.service.settings import Settings, read_settings
from prescreen.service.watch.exposing import expose
from prescreen.store.accounts import add_first_admin
from prescreen.store.base import Who

CONSOLE = Who("console", "service")
KEEP_S = 75  # longer than a proxy keeps a quiet connection: one shut in the moment of a press loses the press


def run_service(
    folder: Path, stages: Stages, *, host: str = "127.0.0.1", port: int = 8080, data: Path, keys: Path | None = None
) -> None:
    """Serve a folder's serve.yaml until Ctrl-C; raises before a port is opened where something does not fit."""
    import uvicorn

    settings = fit_settings(read_settings(folder), host, port)
    places = find_places(data, keys)
    is_new = not (data / "prescreen.db").exists()
    house = open_house(settings, places, stages)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again when it is done
    try:
        app = open_app(house)
        with expose(house, app.state.traffic, data):
            greet(house, is_new=is_new)
            _log_to_console()
            uvicorn.run(
                app,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(settings.web.proxies),
                forwarded_allow_ips=list(settings.web.proxies),
                timeout_keep_alive=KEEP_S,
                timeout_graceful_shutdown=10,
            )
    finally:
        house.close()


def fit_settings(settings: Settings, host: str, port: int) -> Settings:
    """A demonstration follows the port it is given; plain HTTP beyond this machine is refused."""
    if settings.web.is_secure:
        return settings
    if not is_loopback(host):
        raise GuardError("without TLS this answers on 127.0.0.1 only; put a proxy before it (docs/deployment.md)")
    web = settings.web.model_copy(update={"base_url": f"http://localhost:{port}"})
    return settings.model_copy(update={"web": web})


def greet(house: House, *, is_new: bool) -> None:
    """What the person at the console must know: where, who may sign in, who drafts."""
    url = house.settings.web.base_url
    drafts = f"{house.label.name} ({house.label.version})" if house.label else f"the rules alone: {house.why}"
    print(
        f"{house.settings.clinic.name}: {url}\n  patients  {url}/\n  staff     {url}/sign-in\n  drafts by {drafts}"
    )
    if house.settings.demo:
        from prescreen.service.showcase import show_patients, show_people

        told = show_people(house)
        if is_new:
            count = show_patients(house, limits_of(open_doors(house).settings)[1])
            print(f"  {count} invented patients stand in the queue")
        print("  sign in as (new passwords at each start):")
        for login, password in told.items():
            print(f"    {login:<10} {password}")
        return
    with house.store.act(CONSOLE) as act:
        made = add_first_admin(act)
    if made is not None:
        print(f"  first admin: login {made.user.login}, password {made.password} (once; change it now)")


def _log_to_console() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    for name in ("prescreen.service", "prescreen.worker"):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
