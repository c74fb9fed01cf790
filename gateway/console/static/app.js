"use strict";
// Pages work without this file. With it they live: what the gateway tells is put into
// its place, plots are drawn, and times grow old.

const plots = new Map();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function clock(seconds, step) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: step < 60 ? "2-digit" : undefined, hourCycle: "h23" });
}

function options(el) {
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui" };
  return {
    width: Math.max(el.clientWidth, 200), height: Math.max(el.clientHeight, 120), padding: [8, 24, 0, 0], legend: { show: false }, cursor: { y: false },
    scales: { y: { range: (_, low, high) => (el.dataset.zero === "no" ? [low - 0.5, high + 0.5] : [0, high > 0 ? high * 1.15 : 1]) } },
    axes: [{ ...axis, space: 70, values: (_, at, __, ___, step) => at.map((s) => clock(s, step)) }, { ...axis, size: 48 }],
    series: [{}, { stroke: colour("--accent"), width: 2, fill: colour("--shade"), label: el.dataset.title }],
  };
}

function draw(el, text) {
  const points = JSON.parse(text);
  el.dataset.points = text;
  el.dataset.length = points[0].length;
  if (plots.has(el)) {
    plots.get(el).setData(points);
    return;
  }
  plots.set(el, new uPlot(options(el), points, el));
}

function drawAll() {
  for (const el of document.querySelectorAll(".plot")) draw(el, el.dataset.points);
}

function redrawAll() {
  for (const [el, plot] of plots) {
    plot.destroy();
    plots.delete(el);
  }
  drawAll();
}

function ago(at) {
  const s = Math.max(0, Math.floor((Date.now() - at) / 1000));
  if (s >= 86400) return Math.floor(s / 86400) + " d ago";
  if (s >= 3600) return Math.floor(s / 3600) + " h ago";
  if (s >= 60) return Math.floor(s / 60) + " min ago";
  return s + " s ago";
}

function age() {
  for (const el of document.querySelectorAll("time[datetime]:not([data-exact])")) {
    const at = Date.parse(el.dateTime);
    if (at > 0) {
      el.textContent = ago(at);
      el.title = new Date(at).toLocaleString();
    }
  }
}

function live(root) {
  const state = document.getElementById("link-state");
  const say = (text, name) => {
    if (state.textContent !== text) state.textContent = text;
    document.documentElement.dataset.link = name;
  };
  let stream = null;
  const close = () => {
    if (stream) stream.close();
    stream = null;
  };
  const open = () => {
    if (stream) return;
    const mine = new EventSource(root.dataset.live);
    stream = mine;
    mine.onerror = () => {
      if (stream === mine) say(mine.readyState === EventSource.CLOSED ? "Not live any more: load the page again" : "Not live: the gateway does not answer, trying again", "lost");
    };
    mine.addEventListener("link", (e) => (e.data === "live" ? say("Live", "live") : say("Not live: the gateway does not get fresh figures, trying again", "lost")));
    for (const el of root.querySelectorAll("[data-fragment]")) {
      mine.addEventListener(el.id, (e) => {
        if (el.contains(document.activeElement)) return; // nothing moves under a reader's hand
        el.innerHTML = e.data; // escaped where it was made
        age();
      });
    }
    for (const el of root.querySelectorAll(".plot")) mine.addEventListener(el.id, (e) => draw(el, e.data));
  };
  // A page that nobody sees has no stream: without TLS a browser has six connections to
  // the gateway, and a seventh page would wait for ever.
  const look = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", look);
  look();
}

// A file that is dropped on, or chosen for, a text field is read into it.
function readable(area) {
  const take = async (file) => {
    if (!file || file.size > 65536) return;
    area.value = await file.text();
  };
  area.addEventListener("dragover", (e) => e.preventDefault());
  area.addEventListener("drop", (e) => {
    if (!e.dataTransfer.files.length) return;
    e.preventDefault();
    take(e.dataTransfer.files[0]);
  });
  const chooser = document.getElementById(area.dataset.file);
  if (chooser) chooser.addEventListener("change", () => take(chooser.files[0]));
}

document.addEventListener("DOMContentLoaded", () => {
  drawAll();
  age();
  setInterval(age, 5000);
  for (const root of document.querySelectorAll("[data-live]")) live(root);
  for (const area of document.querySelectorAll("textarea[data-file]")) readable(area);
  let due = 0;
  window.addEventListener("resize", () => {
    clearTimeout(due);
    due = setTimeout(redrawAll, 150);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
});
