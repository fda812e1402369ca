"""The style sheet of a report."""

STYLE = """
:root { --ink: #1d2433; --soft: #667085; --line: #e4e7ec; --train: #2f6fde; --test: #e2711d;
  --batch: #c3cad6; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f7f9; color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px; }
header h1 { margin: 0; font-size: 26px; font-weight: 650; overflow-wrap: anywhere; }
header p { margin: 4px 0 0; color: var(--soft); }
.status { display: inline-block; padding: 1px 10px; border-radius: 99px; font-size: 13px;
  background: #e7ecf3; color: var(--ink); vertical-align: 3px; margin-left: 10px; }
.status.finished { background: #ddf3e4; color: #14632f; }
.status.failed { background: #fde2e0; color: #8f1d15; }
.status.interrupted { background: #fdf0d5; color: #7a4b00; }
section { background: #fff; border: 1px solid var(--line); border-radius: 12px; padding: 20px 24px;
  margin-top: 20px; }
h2 { margin: 0 0 12px; font-size: 17px; font-weight: 620; }
h3 { margin: 0 0 8px; font-size: 14px; font-weight: 600; color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
  gap: 12px; margin-top: 20px; }
.card { background: #fff; border: 1px solid var(--line); border-radius: 12px; padding: 14px 18px; }
.card b { display: block; font-size: 24px; font-weight: 620; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 13px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 28px; }
.columns.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); }
svg { display: block; width: 100%; max-width: 640px; height: auto; }
svg text { font-size: 12px; fill: var(--soft); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .axis { stroke: #98a2b3; stroke-width: 1; }
svg polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg polyline.batch { stroke: var(--batch); stroke-width: 1.2; }
svg polyline.train { stroke: var(--train); } svg circle.train { fill: var(--train); }
svg polyline.test { stroke: var(--test); } svg circle.test { fill: var(--test); fill-opacity: .8; }
svg circle.batch { fill: var(--batch); }
.legend { display: flex; gap: 18px; justify-content: center; color: var(--soft); font-size: 13px; }
.legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin-right: 6px;
  vertical-align: 3px; }
.legend i.batch { background: var(--batch); } .legend i.train { background: var(--train); }
.legend i.test { background: var(--test); }
pre { margin: 0; overflow-x: auto; font: 13px/1.25 ui-monospace, "DejaVu Sans Mono", monospace;
  padding: 4px 0 12px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
.facts th { text-align: left; font-weight: 400; color: var(--soft); padding: 3px 16px 3px 0;
  white-space: nowrap; vertical-align: top; }
.facts td { padding: 3px 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.facts tr + tr { border-top: 1px solid #f0f2f5; }
.facts tr.chosen td { font-weight: 600; }
.matrix { width: auto; }
.matrix th { font-weight: 400; color: var(--soft); padding: 4px 12px; font-size: 13px; text-align: right; }
.matrix thead th { text-align: center; }
.matrix td { text-align: center; min-width: 56px; height: 44px; border: 2px solid #fff;
  border-radius: 8px; font-variant-numeric: tabular-nums; }
.bar { display: block; height: 10px; border-radius: 5px; background: var(--train); opacity: .75;
  min-width: 2px; }
.gates th, .gates td { vertical-align: middle; }
.gates td:last-child { width: 60%; }
.note, .empty { color: var(--soft); font-size: 13px; margin: 8px 0 0; }
@media print { body { background: #fff; } section, .card { break-inside: avoid; } }
"""
