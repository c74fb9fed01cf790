// The system that the tests look at: iotbridge local, and agents that connect to it, each
// a process of its own in a folder that goes with it.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createHash, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));

// patience is for a busy machine: who waits so long has found a fault.
export const patience = 60_000;

// until asks until the answer is true.
export async function until(what, ask) {
  for (const late = Date.now() + patience; Date.now() < late; await pause(100)) {
    const got = await ask();
    if (got) return got;
  }
  throw new Error(`${what}: not within ${patience / 1000} s`);
}

// Programs are built once for all systems.
export class Programs {
  static async build() {
    const p = new Programs();
    p.dir = await mkdtemp(join(tmpdir(), 'iotbridge-console-'));
    await run('go', ['build', '-o', p.dir, './cmd/iotbridge', './cmd/iotbridge-agent'], { cwd: root, env: { ...process.env, CGO_ENABLED: '0' } });
    return p;
  }

  path(name) { return join(this.dir, name); }

  remove() { return rm(this.dir, { recursive: true, force: true }); }
}

// Child is a process that ends when it is told to, and shows what it said when it does not
// do what it should.
class Child {
  constructor(program, args, options) {
    this.said = '';
    this.process = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (text) => { this.said = (this.said + text).slice(-100_000); });
    this.ended = once(this.process, 'exit');
  }

  get gone() { return this.process.exitCode !== null || this.process.signalCode !== null; }

  async end() {
    if (!this.gone) this.process.kill('SIGINT');
    const late = setTimeout(() => this.process.kill('SIGKILL'), patience);
    await this.ended;
    clearTimeout(late);
  }
}

// System is iotbridge local.
export class System {
  static async start(programs, ...args) {
    const s = new System();
    s.programs = programs;
    s.dir = await mkdtemp(join(programs.dir, 'data-'));
    s.child = new Child(programs.path('iotbridge'), ['local', '--ephemeral', '--data', s.dir, ...args]);
    s.agents = [];
    try {
      s.site = await until('iotbridge local serves', async () => {
        if (s.child.gone) throw new Error('iotbridge local has ended');
        return readFile(join(s.dir, 'local.json'), 'utf8').then(JSON.parse).catch(() => null);
      });
    } catch (fault) {
      await s.end();
      throw new Error(`${fault.message}\n${s.child.said}`);
    }
    return s;
  }

  // link signs in, once.
  async link() {
    const { stdout } = await run(this.programs.path('iotbridge'), ['console', '--local', this.dir]);
    return stdout.trim();
  }

  // operator adds one to the operators file, and returns the token.
  async operator(name, role) {
    const token = randomBytes(24).toString('hex');
    await appendFile(join(this.dir, 'operators'), `${name} ${role} ${createHash('sha256').update(token).digest('hex')}\n`);
    return token;
  }

  // key makes a device's folder with a fresh key in it, as its maker does.
  async key() {
    const dir = await mkdtemp(join(this.dir, 'device-'));
    await run(this.programs.path('iotbridge-agent'), ['keygen', '--key-path', dir]);
    return { dir, key: await readFile(join(dir, 'ec_public.pem'), 'utf8') };
  }

  // agent runs a device in its folder, with the file that the console gave for it.
  async agent(dir, config) {
    const file = join(dir, 'gcp_iot_config.txt');
    await writeFile(file, config.replace(/^KEY_PATH = .*$/m, `KEY_PATH = ${dir}`));
    await writeFile(join(dir, 'roots.pem'), await readFile(this.site.ca));
    await mkdir(join(dir, 'spool'), { mode: 0o700 });
    const child = new Child(this.programs.path('iotbridge-agent'), ['run', '-c', file, '--simulate', '--interval', '1s', '--spool-dir', join(dir, 'spool')]);
    this.agents.push(child);
    return child;
  }

  async end() {
    await Promise.all(this.agents.map((a) => a.end()));
    await this.child.end();
  }
}
