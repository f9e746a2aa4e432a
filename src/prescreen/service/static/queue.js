// Keeps the queue fresh: every ten seconds, not while the page is hidden; says when it can not. No page needs it.
"use strict";
(() => {
  const PERIOD = 10_000, OLD = 25_000;
  const stale = document.getElementById("stale"), news = document.getElementById("news");
  let fresh = Date.now(), busy = false;

  const tell = () => {
    const age = Date.now() - fresh, lost = age > OLD;
    if (lost) {
      const said = `Connection lost. This list is ${Math.round(age / 1000 / 15) * 15} seconds old; people may be waiting who are not on it.`;
      if (stale.textContent !== said) stale.textContent = said;
    }
    stale.hidden = !lost;
    document.getElementById("rows").classList.toggle("is-stale", lost);
  };

  const put = (text) => {
    const made = new DOMParser().parseFromString(text, "text/html").getElementById("rows");
    if (!made) throw new Error("not the list");
    const old = document.getElementById("rows"), focused = document.activeElement && document.activeElement.id;
    const known = new Set(old.dataset.urgent.split(" "));
    const added = made.dataset.urgent.split(" ").filter((id) => id && !known.has(id));
    old.replaceWith(made);
    if (focused) { const again = document.getElementById(focused); if (again) again.focus({ preventScroll: true }); }
    if (added.length) news.textContent = added.length === 1 ? "A new emergency is on the list." : `${added.length} new emergencies are on the list.`;
  };

  const fetchRows = async () => {
    if (busy || document.hidden) return;
    busy = true;
    try {
      const answer = await fetch(`/queue/rows${location.search}`, { redirect: "error", cache: "no-store", signal: AbortSignal.timeout(8_000) });
      if (!answer.ok) throw new Error(String(answer.status));
      put(await answer.text());
      fresh = Date.now();
    } catch { /* told by its age */ } finally { busy = false; tell(); }
  };

  setInterval(fetchRows, PERIOD);
  setInterval(tell, 5_000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { tell(); fetchRows(); } });
  window.addEventListener("online", fetchRows);
})();
