// A file's text: goes to the line that its fault names.
const text = document.getElementById("file-text");
const fault = document.querySelector("#fault code")?.textContent ?? "";
const name = text.dataset.name.replaceAll(".", "\\.");
const found = fault.match(new RegExp(`^${name}(?:, line |:)(\\d+)`)) ?? fault.match(new RegExp(`^${name}.*at line (\\d+)`));
if (found) {
  const lines = text.value.split("\n");
  const line = Math.min(Number(found[1]), lines.length) - 1;
  const start = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + lines[line].length);
  text.scrollTop = Math.max(0, line - 5) * (text.scrollHeight / lines.length);
}
