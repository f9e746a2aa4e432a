// Counts an undo down; without it the banner names the time.
"use strict";
(() => {
  for (const banner of document.querySelectorAll(".undo")) {
    const ends = Date.now() + Number(banner.dataset.seconds) * 1000, left = banner.querySelector(".left");
    const tick = () => {
      const seconds = Math.ceil((ends - Date.now()) / 1000);
      if (seconds <= 0) { clearInterval(timer); banner.querySelector("button").remove(); left.textContent = ": it is on its way"; return; }
      left.textContent = `, in ${seconds} s`;
    };
    const timer = setInterval(tick, 1000);
    tick();
  }
})();
