// A form that shows who one is goes out once: its answer brings the session's new token, and a second press would
// still carry the old one. Without this the second press asks for a new sign-in.
"use strict";
(() => {
  const forms = [...document.querySelectorAll("form[data-once]")];
  for (const form of forms) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
  }
  addEventListener("pageshow", () => forms.forEach((form) => delete form.dataset.sent)); // back from the answer
})();
