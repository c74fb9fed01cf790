// Type-checks each dashboard, as it stands in dashboards/grafana, with tsc --strict.
// Beside them stand copies with mistakes: one that is not found means that the types
// let anything pass.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const from = at('../../../dashboards/grafana/');

const mistakes = {
  option: (p) => { p.options.legends = {}; },
  enum: (p) => { p.options[{ stat: 'colorMode', table: 'cellHeight', timeseries: 'tooltip' }[p.type]] = 'tiny'; },
  panel: (p) => { p.type = 'graph'; },
  field: (p) => { p.fieldConfig.defaults.units = 's'; },
  query: (p) => { delete p.targets[0].refId; },
  place: (p) => { p.gridPos.w = '12'; },
};

const write = (name, json) => writeFileSync(at(`build/${name}.ts`),
  `import type { OurDashboard } from '../types';\nexport const dashboard: OurDashboard = ${JSON.stringify(json, null, 1)};\n`);

rmSync(at('build'), { recursive: true, force: true });
mkdirSync(at('build'));
const good = [];
const bad = [];
for (const file of readdirSync(from).filter((name) => name.endsWith('.json'))) {
  const name = file.replace('.json', '');
  const text = readFileSync(from + file, 'utf8');
  good.push(name);
  write(name, JSON.parse(text));
  for (const [what, make] of Object.entries(mistakes)) {
    const wrong = JSON.parse(text);
    for (const type of ['stat', 'table', 'timeseries']) {
      const panel = wrong.panels.find((p) => p.type === type);
      if (panel === undefined) continue;
      const before = structuredClone(panel);
      make(panel);
      write(`${name}_${what}_${type}`, { ...wrong, panels: [panel] });
      bad.push(`${name}_${what}_${type}`);
      Object.assign(panel, before);
    }
  }
}
const tsc = spawnSync(process.execPath, [at('node_modules/typescript/bin/tsc'), '--project', at('.')], { encoding: 'utf8' });
const errors = tsc.stdout.split('\n').filter((line) => !bad.some((name) => line.startsWith(`build/${name}.ts`) || line.startsWith(' ')));
const missed = bad.filter((name) => !tsc.stdout.includes(`build/${name}.ts`));
process.stdout.write(errors.join('\n') + tsc.stderr);
if (good.length === 0 || errors.some((line) => line !== '') || tsc.stderr !== '') {
  console.error('the dashboards are not what @grafana/schema describes');
  process.exitCode = 1;
} else if (missed.length > 0) {
  console.error(`mistakes that are not found: ${missed.join(' ')}`);
  process.exitCode = 1;
} else {
  console.log(`${good.length} dashboards are what @grafana/schema describes; ${bad.length} mistakes were found`);
  rmSync(at('build'), { recursive: true });
}
