// The player of a call: waveform of both sides, transcript that follows, findings to jump to.
const $ = (id) => document.getElementById(id);
const STEP_S = 5;
const MS = 1000;

const data = JSON.parse($("call-data")?.textContent ?? "null");
const player = $("player");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function shown(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}.${Math.floor((seconds - whole) * 10)}`;
}

if (player && data) {
  const audio = new Audio();
  audio.preload = "none"; // what is fetched is heard: the audit log counts on it
  audio.src = player.dataset.audio;
  audio.preservesPitch = true;
  let loop = null;
  let current = -1;

  const lines = [...document.querySelectorAll("#lines li")];
  const box = $("lines");

  function follow() {
    const now = audio.currentTime * MS;
    $("now").textContent = shown(audio.currentTime);
    if (loop && (now >= loop.end || now < loop.start - 400)) audio.currentTime = loop.start / MS;
    for (const line of lines) {
      const on = now >= line.dataset.start && now < line.dataset.end;
      if (on && !line.classList.contains("now") && box) {
        const top = line.offsetTop - box.offsetTop;
        if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 60) box.scrollTop = top - 60;
      }
      line.classList.toggle("now", on);
    }
  }
  audio.addEventListener("timeupdate", follow);
  audio.addEventListener("seeked", follow);

  function playIcon() {
    $("play").querySelector("use").setAttribute("href", `/static/vendor/icons.svg#${audio.paused ? "play" : "pause"}`);
    player.dataset.state = audio.paused ? "paused" : "playing";
  }
  audio.addEventListener("play", playIcon);
  audio.addEventListener("pause", playIcon);

  const toggle = () => (audio.paused ? audio.play() : audio.pause());
  function jump(startMs, play = true) {
    audio.currentTime = startMs / MS;
    if (play) audio.play();
  }
  function setLoop(span) {
    loop = span;
    $("loop").setAttribute("aria-pressed", String(Boolean(span)));
  }
  function loopHere() {
    if (loop) return setLoop(null);
    const now = audio.currentTime * MS;
    const spans = data.findings;
    const span = spans[current] ?? spans.find((f) => now >= f.start - 500 && now <= f.end + 500) ?? spans[0];
    if (!span) return;
    setLoop({ start: Math.max(0, span.start - 300), end: span.end + 300 });
    jump(loop.start);
  }
  function setSpeed(rate) {
    audio.playbackRate = rate;
    $("speed").value = String(rate);
  }
  const rates = [...$("speed").options].map((o) => Number(o.value));
  function changeSpeed(by) {
    const next = rates.indexOf(audio.playbackRate) + by;
    if (rates[next]) setSpeed(rates[next]);
  }
  function finding(by) {
    if (!data.findings.length) return;
    current = (current + by + data.findings.length) % data.findings.length;
    setLoop(null);
    jump(Math.max(0, data.findings[current].start - 500));
    document.querySelector(`mark[data-finding="${current}"]`)?.scrollIntoView({ block: "nearest" });
  }

  $("play").addEventListener("click", toggle);
  $("loop").addEventListener("click", loopHere);
  $("speed").addEventListener("change", () => setSpeed(Number($("speed").value)));
  document.addEventListener("click", (event) => {
    const target = event.target.closest("button.jump, mark[data-finding]");
    if (!target) return;
    if (target.dataset.finding !== undefined) current = Number(target.dataset.finding);
    const start = target.dataset.start ?? data.findings[current].start;
    setLoop(null);
    jump(Math.max(0, Number(start)));
  });
  $("mark-here")?.addEventListener("click", () => {
    const now = audio.currentTime.toFixed(1);
    const start = $("mark-start");
    if (!start.value) start.value = now;
    else $("mark-end").value = now;
  });

  const keys = {
    " ": toggle,
    ArrowLeft: () => jump(Math.max(0, audio.currentTime - STEP_S) * MS, !audio.paused),
    ArrowRight: () => jump((audio.currentTime + STEP_S) * MS, !audio.paused),
    "[": () => changeSpeed(-1),
    "]": () => changeSpeed(1),
    l: loopHere,
    f: () => finding(1),
    F: () => finding(-1),
    r: () => jump(Math.max(0, (data.findings[Math.max(current, 0)]?.start ?? 0) - 500)),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    if (event.key === " " && event.target.closest("button, a, summary")) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  const place = location.hash.match(/^#t=(\d+)$/);
  if (place) jump(Number(place[1]), false);

  const answer = await fetch(player.dataset.peaks);
  const peaks = answer.ok ? (await answer.json()).peaks : undefined;
  const sides = ["caller", "agent"];
  const style = (side) => ({ waveColor: colour(side), progressColor: colour("muted"), height: 56, barWidth: 2, barGap: 1 });
  const wave = WaveSurfer.create({
    container: "#wave",
    media: audio,
    peaks,
    duration: data.duration || undefined,
    cspNonce: player.dataset.nonce,
    cursorColor: colour("fail"),
    cursorWidth: 2,
    ...(peaks?.length === 2 ? { splitChannels: sides.map(style) } : style("agent")),
  });
  const regions = wave.registerPlugin(WaveSurfer.Regions.create());
  wave.on("ready", () => {
    data.findings.forEach((f, place) => {
      const region = regions.addRegion({
        start: f.start / MS,
        end: Math.max(f.end, f.start + 200) / MS,
        color: colour(f.status === "fail" ? "span-fail" : "span-review"),
        channelIdx: peaks?.length === 2 ? sides.indexOf(f.channel) : undefined,
        drag: false,
        resize: false,
      });
      region.on("click", () => {
        current = place;
      });
    });
    player.dataset.ready = "yes";
  });
  window.addEventListener("pagehide", () => audio.pause());
}
