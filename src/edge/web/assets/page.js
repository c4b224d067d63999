// Parts marked data-refresh="SECONDS" are fetched again and put in place; everything works without this file.
"use strict";

const busy = (part) =>
  document.hidden ||
  part.contains(document.activeElement) ||
  part.querySelector("details[open]") !== null ||
  [...part.querySelectorAll("audio")].some((player) => !player.paused) ||
  String(getSelection()).length > 0;

async function refresh(parts) {
  const answer = await fetch(location.href, { headers: { "X-Refresh": "1" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts) {
    const fresh = page.getElementById(part.id);
    if (fresh && !busy(part) && fresh.innerHTML !== part.innerHTML) part.replaceWith(fresh);
    else if (!fresh) part.removeAttribute("data-refresh");
  }
}

async function loop() {
  for (;;) {
    const parts = [...document.querySelectorAll("[data-refresh]")];
    const seconds = Math.min(60, ...parts.map((part) => Number(part.dataset.refresh) || 60));
    await new Promise((done) => setTimeout(done, seconds * 1000));
    const free = parts.filter((part) => part.isConnected && !busy(part));
    if (free.length === 0) continue;
    try {
      await refresh(free);
      document.documentElement.classList.remove("offline");
    } catch {
      document.documentElement.classList.add("offline");
    }
  }
}

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button) setTimeout(() => (button.disabled = true));
});

document.addEventListener("change", (event) => {
  if (event.target.matches("form[data-auto] select, form[data-auto] input[type=date]")) event.target.form.requestSubmit();
});

// Where the page is not secure (plain HTTP in a company's network) browsers keep the clipboard to the old command.
async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    field.select();
    if (!document.execCommand("copy")) return;
  }
  button.textContent = button.dataset.copied;
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}

loop();
