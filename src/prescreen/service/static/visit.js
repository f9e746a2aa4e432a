// Keys, lit-up evidence and touched fields. The page works without it.
"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);
  const choice = one("#keys-on");
  if (choice) {
    choice.checked = localStorage.getItem("keys") !== "off";
    choice.addEventListener("change", () => localStorage.setItem("keys", choice.checked ? "on" : "off"));
  }
  const isTyping = (target) => target.matches("textarea, select, input:not([type=radio]):not([type=checkbox])") || target.isContentEditable;

  const accept = () => {
    const form = one("#sign"), sign = one("#do");
    if (!sign) return;
    const levels = [...document.querySelectorAll(".chip input")];
    const proposed = levels.find((level) => level.defaultChecked);
    if (proposed && !levels.some((level) => level.checked)) proposed.checked = true;
    if (!levels.some((level) => level.checked)) return levels[0].focus();
    if (form && !form.reportValidity()) return;
    sign.focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target) || (choice && !choice.checked)) return;
    const key = event.key.toLowerCase();
    const level = one(`.chip input[data-key="${CSS.escape(key)}"]`);
    if (level) { level.checked = true; level.focus(); }
    else if (key === "a") accept();
    else if (key === "e") { const field = one("#f-summary:not([readonly])"); if (!field) return; field.focus(); field.scrollIntoView({ block: "center" }); }
    else if (key === "n") { const next = one("#next"); if (!next) return; next.requestSubmit(); }
    else if (key === "?") { const help = one(".keys"); help.open = !help.open; help.scrollIntoView({ block: "nearest" }); }
    else return;
    event.preventDefault();
  });

  for (const link of document.querySelectorAll("a.quote")) {
    const mark = document.getElementById(link.hash.slice(1));
    if (!mark) continue;
    const light = (on) => mark.classList.toggle("lit", on);
    link.addEventListener("mouseenter", () => light(true));
    link.addEventListener("mouseleave", () => light(false));
    link.addEventListener("focus", () => light(true));
    link.addEventListener("blur", () => light(false));
    link.addEventListener("click", (event) => { event.preventDefault(); mark.scrollIntoView({ block: "center" }); light(true); });
  }

  // What the queue knows by now: this visit has changed, or a new emergency waits while somebody reads here.
  const fresh = one("#fresh");
  let urgent = null;
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch("/queue/rows", { redirect: "error", cache: "no-store", signal: AbortSignal.timeout(8_000) });
      if (!answer.ok) return;
      const rows = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("rows");
      const own = rows.querySelector(`#line-${fresh.dataset.visit}`), now = rows.dataset.urgent.split(" ").filter(Boolean);
      const added = urgent === null ? [] : now.filter((id) => !urgent.has(id) && id !== fresh.dataset.visit);
      const said = [
        own && own.dataset.version !== fresh.dataset.version ? "Something new came in on this visit: open it again before you sign." : "",
        added.length ? "A new emergency is in the queue." : "",
      ].filter(Boolean).join(" ");
      if (said && fresh.textContent !== said) { fresh.textContent = said; fresh.hidden = false; }
      urgent = urgent ?? new Set(now);
    } catch { /* the queue says when the connection is lost; signing is checked by the service */ }
  };
  if (fresh) { look(); setInterval(look, 15_000); }

  for (const field of document.querySelectorAll("textarea")) {
    field.addEventListener("input", () => field.classList.toggle("touched", field.value !== field.defaultValue));
  }
})();
