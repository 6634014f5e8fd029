// One key a decision: A agree, O overrule, S skip, C comment; Enter in the comment goes back to keys.
const form = document.getElementById("decide");
const comment = document.getElementById("comment");
let sent = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === comment && ["Enter", "Escape"].includes(event.key)) {
    event.preventDefault();
    comment.blur();
    return;
  }
  if (event.target.closest("input, textarea, select")) return;
  const key = event.key.toLowerCase();
  if (key === "c") {
    event.preventDefault();
    comment.focus();
    return;
  }
  const button = form.querySelector(`button[data-key="${key}"]`);
  if (button && !sent) {
    event.preventDefault();
    form.requestSubmit(button);
  }
});
form.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
