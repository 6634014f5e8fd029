// What every page shares: rows by arrow keys, messages of htmx.
const toast = document.getElementById("toast");

function say(text) {
  const line = document.createElement("p");
  line.textContent = text;
  toast.replaceChildren(line);
  setTimeout(() => line.remove(), 4000);
}

document.body.addEventListener("htmx:responseError", (event) => say(`${event.detail.xhr.status}`));

const links = () => [...document.querySelectorAll("[data-row-link]")];
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey) return;
  const rows = links();
  if (!rows.length || !["j", "k"].includes(event.key)) return;
  const at = rows.indexOf(document.activeElement);
  const next = Math.min(rows.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)));
  rows[next].focus();
});
