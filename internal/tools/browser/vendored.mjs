// What the console serves of others is what npm's registry has under the versions of the
// lock file, byte by byte: npm ci has held those against their integrity.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const served = { 'uplot.js': 'uplot/dist/uPlot.iife.min.js', 'uplot.css': 'uplot/dist/uPlot.min.css', 'uplot.LICENSE': 'uplot/LICENSE' };

for (const [name, source] of Object.entries(served)) {
  if (!readFileSync(at(`../../../gateway/console/static/vendor/${name}`)).equals(readFileSync(at(`node_modules/${source}`)))) {
    console.error(`static/vendor/${name} is not ${source} of the lock file: copy it again`);
    process.exitCode = 1;
  }
}
