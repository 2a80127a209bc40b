"""The style sheet of a report: one column, quiet, the same in light and dark."""

CSS = """
:root { color-scheme: light dark; --bg: #fbfaf8; --card: #ffffff; --ink: #22211f; --quiet: #6f6b64; --line: #e6e2db;
  --accent: #1f6f6b; --c0: #3b6fb6; --c1: #c8642b; --c2: #1f8a70; --c3: #a23e8c; --c4: #8a6d1d; --c5: #5b5bd0;
  --c6: #b03a3a; --c7: #5f6b73; --good: #1d6b3a; --good-bg: #e3f1e6;
  --bad: #8a5a12; --bad-bg: #f4ecdd; }
@media (prefers-color-scheme: dark) { :root { --bg: #171614; --card: #1f1e1b; --ink: #e9e6df; --quiet: #9b968c;
  --line: #35332e; --accent: #6cc3bd; --c0: #7eaae6; --c1: #e8955f; --c2: #6cc3bd; --c3: #dc8cc9;
  --c4: #d3b65f; --c5: #a5a5f2; --c6: #e88a8a; --c7: #a9b4bb; --good: #93d6a6;
  --good-bg: #1d3424; --bad: #dcb36a; --bad-bg: #362c1a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "Noto Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 44px 24px 72px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 4px; font-weight: 650; letter-spacing: -0.01em;
  overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 52px 0 14px; font-weight: 600; }
h3 { font-size: 15px; margin: 28px 0 10px; font-weight: 600; }
p { margin: 0 0 12px; max-width: 75ch; }
a { color: var(--accent); }
.quiet { color: var(--quiet); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(200px, 100%), 1fr)); gap: 12px;
  margin: 26px 0 0; }
.tile, figure, .example { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 16px 13px; }
.tile b { display: block; font-size: 25px; line-height: 1.25; font-weight: 600; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--quiet); font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 14px; }
.charts figure:first-child { grid-column: 1 / -1; }
figure { margin: 0; padding: 14px 16px 10px; }
figcaption { font-weight: 600; font-size: 13.5px; display: flex; gap: 16px; align-items: baseline; flex-wrap: wrap; }
.key { font-weight: 400; color: var(--quiet); }
.key i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin-right: 6px;
  vertical-align: middle; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
.key i { background: var(--c); }
.key i.d1 { background: repeating-linear-gradient(90deg, var(--c) 0 5px, #0000 5px 7px); }
.key i.d2 { background: repeating-linear-gradient(90deg, var(--c) 0 2px, #0000 2px 4px); }
svg { width: 100%; height: auto; display: block; margin-top: 6px; max-height: 380px; }
svg text { fill: var(--quiet); font-size: 12px; font-variant-numeric: tabular-nums; }
svg text.strong { fill: var(--ink); }
.grid { stroke: var(--line); stroke-width: 1; }
.mark { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 3 4; }
.line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.d1 { stroke-dasharray: 8 4; } .line.d2 { stroke-dasharray: 2 4; }
.dot { fill: var(--c); stroke: var(--card); stroke-width: 1.5; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: 6px 12px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 500; color: var(--quiet); font-size: 13px; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
table.facts { width: auto; }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; vertical-align: top; }
table.facts td:first-child { color: var(--quiet); white-space: nowrap; }
tr.this td { font-weight: 600; }
td.best { color: var(--good); }
.delta { color: var(--quiet); font-size: 12px; font-weight: 400; margin-left: 5px; }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(310px, 100%), 1fr)); gap: 14px; }
.example { overflow: hidden; display: flex; flex-direction: column; }
.example img { width: 100%; height: 220px; object-fit: cover; display: block; background: var(--line); }
.example div { padding: 12px 16px 14px; }
.example p { margin: 0 0 8px; }
.said { font-size: 16px; font-weight: 600; line-height: 1.35; }
.example p.name { margin: 10px 0 0; font-size: 12px; color: var(--quiet); overflow-wrap: anywhere; }
.tags { display: flex; flex-wrap: wrap; gap: 5px; margin: 0 0 10px; padding: 0; list-style: none; }
.tags li { font-size: 12.5px; padding: 1px 8px; border-radius: 20px; background: var(--bad-bg); color: var(--bad); }
.tags li.right { background: var(--good-bg); color: var(--good); }
.example ul.references { margin: 0; padding-left: 16px; color: var(--quiet); font-size: 13px; line-height: 1.45; }
img.sheet { width: 100%; height: auto; border-radius: 10px; border: 1px solid var(--line); display: block; }
details { margin: 10px 0; } summary { cursor: pointer; color: var(--accent); }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px;
  overflow-x: auto; font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; }
footer { margin-top: 56px; color: var(--quiet); font-size: 13px; }
.scroll + p { margin-top: 10px; }
@media (max-width: 700px) { .charts figure:first-child svg text { font-size: 22px; } }
@media print { :root { --bg: #fff; } main { padding: 0; } figure, .example, .tile { break-inside: avoid; } }
"""
