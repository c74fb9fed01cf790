// Debian's Chromium, and what must hold on every page that it shows.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import { patience } from './system.mjs';

const executable = process.env.CHROMIUM ?? '/usr/bin/chromium';
const shots = process.env.CONSOLE_SCREENSHOTS; // where they are kept; without it none are taken

export const missing = existsSync(executable) ? '' : `${executable} is not there: apt-get install chromium`;

export const sizes = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const schemes = ['light', 'dark'];

export const launch = () => chromium.launch({
  executablePath: executable,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

// Window is a browser's window of somebody; faults are what its pages have complained of.
export class Window {
  static async open(browser, url) {
    const w = new Window();
    w.url = url;
    w.faults = [];
    w.context = await browser.newContext({ viewport: sizes.desktop, acceptDownloads: true });
    w.context.setDefaultTimeout(patience);
    w.context.on('console', (m) => { if (['error', 'warning'].includes(m.type())) w.faults.push(`${m.page()?.url()}: console: ${m.text()}`); });
    w.context.on('weberror', (e) => w.faults.push(`${e.page()?.url()}: ${e.error()}`));
    await w.context.exposeBinding('violated', ({ page }, what) => w.faults.push(`${page.url()}: against the policy: ${what}`));
    await w.context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (e) => window.violated(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
    });
    w.page = await w.context.newPage();
    return w;
  }

  go(path) { return this.page.goto(this.url + path); }

  // clean holds that no page has complained until now.
  clean() { assert.deepEqual(this.faults, []); }

  // judge holds, of the page that is shown, what must hold of every page, in light and
  // dark, on a desk and on a phone; and takes its pictures.
  async judge(name) {
    for (const [size, viewport] of Object.entries(sizes)) {
      await this.page.setViewportSize(viewport);
      for (const scheme of schemes) {
        await this.page.emulateMedia({ colorScheme: scheme });
        await this.settle();
        await this.picture(`${name}-${size}-${scheme}`);
        assert.deepEqual(await this.page.evaluate(wide), [], `${name}, ${size}: wider than the window`);
        if (size === 'desktop' || scheme === 'light') assert.deepEqual(await this.accessible(), [], `${name}, ${size}, ${scheme}: axe`);
      }
    }
    await this.page.setViewportSize(sizes.desktop);
    await this.page.emulateMedia({ colorScheme: 'light' });
    this.clean();
  }

  async picture(name) {
    if (!shots) return;
    await mkdir(shots, { recursive: true });
    await this.page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  }

  // settle waits until what was resized or recoloured is drawn again.
  settle() {
    return this.page.evaluate(() => new Promise((drawn) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(drawn)), 200)));
  }

  // accessible returns axe's serious and critical faults.
  async accessible() {
    await this.page.evaluate(axe.source);
    const found = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'], preload: false }));
    return found.violations.filter((v) => ['serious', 'critical'].includes(v.impact))
      .map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.html} ${n.failureSummary}`).join(' | ')}`);
  }
}

// wide is what makes a page scroll sideways.
function wide() {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return [];
  const all = [...document.body.querySelectorAll('*')].filter((el) => (el.getBoundingClientRect().right > room + 1 || el.scrollWidth > room) && !el.parentElement.closest('.scroll, pre'));
  return [`${document.documentElement.scrollWidth} of ${room}`, ...all.slice(0, 5).map((el) => el.outerHTML.slice(0, 120))];
}
