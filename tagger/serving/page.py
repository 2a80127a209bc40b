"""The server's page: drop photos, see captions, tags and the time it took. One file, nothing loaded from elsewhere."""

import base64
import hashlib
import html
import re


def page(name: str, version: str) -> str:
    """The page's HTML for the model of that name and version."""
    return _HTML.replace("{{name}}", html.escape(name, quote=True)).replace("{{version}}", html.escape(version))


def content_security_policy(text: str) -> str:
    """A policy under which only the page's own style and script run, and only this server is asked."""
    def source(tag: str) -> str:
        content = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert content, f"the page has no <{tag}>"
        return base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()

    return (f"default-src 'none'; style-src 'sha256-{source('style')}'; script-src 'sha256-{source('script')}'; "
            "img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


_HTML = """<!doctype html>
<html lang="en" data-model="{{name}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{name}}: drop a photo</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --paper: #f6f5f1; --card: #fff; --ink: #1d1f23; --soft: #6a6e76; --line: #dcdad2;
  --accent: #0b6e63; --bar: #cfe6e1; --bad: #a8321f; }
@media (prefers-color-scheme: dark) { :root { --paper: #15171a; --card: #1e2125; --ink: #eceae4; --soft: #9a9ea6;
  --line: #33373d; --accent: #5cc4b5; --bar: #21443f; --bad: #f0907f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; font-weight: 650; letter-spacing: -.01em; margin: 0; }
header p { margin: .25rem 0 1.5rem; color: var(--soft); }
#drop { display: block; border: 2px dashed var(--line); border-radius: 14px; background: var(--card);
  padding: 2.5rem 1rem; text-align: center; cursor: pointer; transition: border-color .15s, background .15s; }
#drop:hover, #drop:focus-within, #drop.over { border-color: var(--accent); }
#drop.over { background: var(--bar); }
#drop strong { display: block; font-size: 1.1rem; font-weight: 600; }
#drop span { color: var(--soft); font-size: .92rem; }
#file { position: absolute; opacity: 0; width: 1px; height: 1px; }
#results { list-style: none; margin: 1.5rem 0 0; padding: 0; display: grid; gap: 1.25rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; display: grid;
  grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); }
.photo { background: var(--paper); display: grid; place-items: center; min-height: 11rem; }
.photo img { display: block; width: 100%; height: 100%; max-height: 24rem; object-fit: contain; }
.text { padding: 1.1rem 1.3rem 1rem; display: flex; flex-direction: column; gap: .8rem; min-width: 0; }
.caption { font-size: 1.15rem; line-height: 1.35; margin: 0; overflow-wrap: anywhere; }
.caption.waiting { color: var(--soft); }
.caption.bad { color: var(--bad); }
.tags { list-style: none; margin: 0; padding: 0; display: grid; gap: .3rem; }
.tags li { position: relative; display: flex; justify-content: space-between; padding: .1rem .55rem; border-radius: 6px;
  overflow: hidden; font-size: .95rem; }
.tags svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.tags rect { fill: var(--bar); }
.tags span { position: relative; }
.tags .score { color: var(--soft); font-variant-numeric: tabular-nums; }
.foot { margin: auto 0 0; color: var(--soft); font-size: .85rem; display: flex; gap: 1rem;
  justify-content: space-between; }
.foot .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.foot .time { white-space: nowrap; font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) { .card { grid-template-columns: 1fr; } }
</style>
</head>
<body>
<main>
<header>
<h1>What is in this photo?</h1>
<p>Model <b>{{name}}</b>, version {{version}}. Photos go to this machine's server and nowhere else.</p>
</header>
<label id="drop">
<strong>Drop photos here</strong>
<span>or click to choose, or paste one. JPEG, PNG, GIF, BMP, WebP.</span>
<input id="file" type="file" accept="image/*" multiple>
</label>
<ul id="results" aria-live="polite"></ul>
</main>
<script>
"use strict";
const model = document.documentElement.dataset.model;
const drop = document.getElementById("drop");
const results = document.getElementById("results");
let queue = Promise.resolve();

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function bar(share) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const rect = document.createElementNS(space, "rect");
  svg.setAttribute("aria-hidden", "true");
  rect.setAttribute("width", (100 * share).toFixed(1) + "%");
  rect.setAttribute("height", "100%");
  svg.append(rect);
  return svg;
}

async function ask(file) {
  const body = JSON.stringify({instances: [{b64: await base64(file)}]});
  const start = performance.now();
  const response = await fetch("/v1/models/" + encodeURIComponent(model) + ":predict", {
    method: "POST", headers: {"Content-Type": "application/json"}, body});
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return {prediction: answer.predictions[0], milliseconds: performance.now() - start};
}

function show(file) {
  const card = element("li", "card");
  const photo = element("div", "photo");
  const image = element("img", "");
  image.alt = file.name;
  image.src = URL.createObjectURL(file);
  image.onload = () => URL.revokeObjectURL(image.src);
  image.onerror = () => image.remove();
  photo.append(image);
  const text = element("div", "text");
  const caption = element("p", "caption waiting", "Looking…");
  const tags = element("ul", "tags");
  const foot = element("p", "foot");
  const time = element("span", "time", "");
  foot.append(element("span", "name", file.name), time);
  text.append(caption, tags, foot);
  card.append(photo, text);
  results.prepend(card);
  return {file, caption, tags, time};
}

async function fill(card) {
  try {
    const {prediction, milliseconds} = await ask(card.file);
    card.time.textContent = Math.round(milliseconds) + " ms";
    if (!prediction.valid) {
      card.caption.className = "caption bad";
      card.caption.textContent = "This file is not an image that the model can read.";
      return;
    }
    card.caption.className = "caption";
    card.caption.textContent = prediction.caption || "(no words)";
    prediction.tags.forEach((tag, index) => {
      if (!tag) return;
      const score = prediction.tag_scores[index];
      const item = element("li", "");
      item.append(bar(score), element("span", "tag", tag), element("span", "score", Math.round(100 * score) + " %"));
      card.tags.append(item);
    });
  } catch (error) {
    card.caption.className = "caption bad";
    card.caption.textContent = error.message;
  }
}

function take(files) {
  for (const card of Array.from(files, show)) queue = queue.then(() => fill(card));
}

document.getElementById("file").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = "";
});
document.addEventListener("paste", (event) => take(event.clipboardData.files));
document.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take(event.dataTransfer.files);
});
</script>
</body>
</html>
"""
