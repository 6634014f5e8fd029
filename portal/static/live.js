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
  for (const one of call.heard) {
    const said = document.createElement("span");
    said.className = `chip ${one.severity}`;
    said.textContent = `${one.family} · ${clock(one.at_ms)}${one.status === "review" ? ` · ${words.review}` : ""}`;
    state.append(" ", said);
  }
  tr.append(cell(call.agent), cell(call.team), state, cell(seconds, "num"));
  return tr;
}

function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function alert(one) {
  const li = document.createElement("li");
  const chip = document.createElement("span");
  chip.className = `chip ${one.kind === "three_rings" ? "review" : "fail"}`;
  chip.textContent = words[one.kind];
  const minutes = Math.floor(one.ms / 60000);
  const when = words.ago.replace("{}", minutes) + (one.open ? ` · ${words.open}` : "");
  const subject = one.kind === "three_rings" ? `${(Number(one.subject) * 100).toFixed(1)}%` : one.subject;
  li.append(chip, ` ${subject} · ${when}`);
  if (one.kind === "critical_phrase") {
    const link = document.createElement("a");
    link.href = `/calls/${encodeURIComponent(one.call_id)}`;
    link.textContent = words.look;
    li.append(" ", link);
  }
  return li;
}

function show(state) {
  const alerts = document.getElementById("alerts");
  const told = JSON.stringify(state.alerts.map((a) => [a.kind, a.subject, a.call_id, a.open, Math.floor(a.ms / 60000)]));
  if (alerts.dataset.told !== told) {
    alerts.dataset.told = told;
    alerts.replaceChildren(...state.alerts.map(alert));
  }
  document.getElementById("no-alerts").hidden = state.alerts.length > 0;
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
