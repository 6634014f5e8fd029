// The live board: one event a second with the whole state; text is set as text, never as markup.
const board = document.getElementById("board");
const words = board.dataset;
const LIMIT_MS = 15000;
const RING_MS = 5000;
const set = (id, text) => (document.getElementById(id).textContent = text);

function cell(text, ...names) {
  const td = document.createElement("td");
  td.textContent = text;
  td.classList.add(...names);
  return td;
}

function row(call) {
  const tr = document.createElement("tr");
  const seconds = `${(call.ms / 1000).toFixed(0)} s`;
  const late = call.state === "ringing" && call.ms >= LIMIT_MS;
  const rings = call.state === "ringing" ? ` · ${words.rings.replace("{}", Math.floor(call.ms / RING_MS) + 1)}` : "";
  const state = cell("");
  const chip = document.createElement("span");
  chip.className = `chip ${late ? "fail" : call.state === "ringing" ? "review" : "agent"}`;
  chip.textContent = words[call.state] + rings;
  state.append(chip);
  tr.append(cell(call.agent), cell(call.team), state, cell(seconds, "num"));
  return tr;
}

function show(state) {
  document.getElementById("offline").hidden = true;
  if (state.three_rings !== undefined) set("three", state.three_rings === null ? "–" : `${(state.three_rings * 100).toFixed(1)}%`);
  if (state.today !== undefined) set("today", state.today);
  set("ringing", state.calls.filter((c) => c.state === "ringing").length);
  set("talking", state.calls.filter((c) => c.state !== "ringing").length);
  const rows = state.calls.map(row);
  if (!rows.length) {
    const tr = document.createElement("tr");
    const td = cell(words.none, "empty");
    td.colSpan = 4;
    tr.append(td);
    rows.push(tr);
  }
  document.getElementById("calls").replaceChildren(...rows);
  document.getElementById("taps").replaceChildren(
    ...state.taps.map((tap) => {
      const chip = document.createElement("span");
      chip.className = `chip ${tap.hears ? "pass" : "fail"}`;
      chip.textContent = `${tap.name} · ${tap.hears ? words.hears : words.deaf}${tap.detail ? ` · ${tap.detail}` : ""}`;
      return chip;
    }),
  );
  board.dataset.beats = String(Number(board.dataset.beats ?? 0) + 1);
}

const source = new EventSource("/live/events");
source.onmessage = (event) => show(JSON.parse(event.data));
source.onerror = () => {
  document.getElementById("offline").hidden = false;
};
window.addEventListener("pagehide", () => source.close());
