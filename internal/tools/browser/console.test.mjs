// What the console promises, shown in a browser on the real system.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, missing, Window } from './chrome.mjs';
import { patience, Programs, System, until } from './system.mjs';

const devices = '/registries/RaspberryPiDevices/devices';

// Without a browser there is nothing to see; where everything must be there, that is a fault.
const skip = process.env.IOTBRIDGE_TOOLS === 'required' ? false : missing;

let programs, system, browser, admin;

before(async () => {
  if (skip) return;
  assert.equal(missing, '');
  programs = await Programs.build();
  [system, browser] = await Promise.all([System.start(programs), launch()]);
  admin = await Window.open(browser, system.site.api);
}, { timeout: 3 * patience });

after(async () => {
  await browser?.close();
  await system?.end();
  await programs?.remove();
}, { timeout: 2 * patience });

// show is a chapter: it begins where the one before has ended, and what a page complained
// of is its fault.
let broken = false;
const show = (name, body) => test(name, { skip, timeout: 3 * patience }, async (t) => {
  if (broken) return t.skip('what it builds on has failed');
  try {
    await body(admin.page, t);
    admin.clean();
  } catch (fault) {
    broken = true;
    await admin.picture('fault').catch(() => {});
    throw new Error(`${fault.stack}\nat ${admin.page.url()}\n${[system.child, ...system.agents].map((c) => c.said.slice(-2000)).join('\n--\n')}`);
  }
});

// refused is said of an answer that is meant to be no page: the browser tells of it.
const refused = (status) => {
  const told = admin.faults.splice(0);
  assert.equal(told.length, 1, told.join('\n'));
  assert.match(told[0], new RegExp(`status of ${status}`));
};

// tile is the figure of an overview's tile.
const tile = async (page, name) => Number.parseFloat((await page.locator('#tiles div', { has: page.getByText(name, { exact: true }) }).locator('dd').innerText()).replaceAll(',', ''));

const points = (page, plot) => page.locator(plot).evaluate((el) => Number(el.dataset.length ?? 0));

const plots = (page) => page.locator('.plot').evaluateAll((all) => all.map((el) => el.dataset.points).join());

const life = (page) => page.locator('#life');

show('a link signs in, once, and the overview lives', async (page) => {
  const link = await system.link();
  await page.goto(link);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.getByText('Live', { exact: true }).waitFor();
  const lies = await tile(page, 'Quarantined');
  const drawn = await plots(page);
  await until('all are connected', async () => await tile(page, 'Connected') === 4);
  await until('messages come in', async () => await tile(page, 'In') > 0);
  await until('the liar is seen', async () => await tile(page, 'Quarantined') > lies);
  await until('a plot moves', async () => await plots(page) !== drawn);
  const other = await Window.open(browser, system.site.api);
  assert.equal((await other.context.request.get(link)).status(), 403, 'the link a second time');
  await other.context.close();
});

show('a device that is added publishes, and its plot moves', async (page) => {
  const made = await system.key();
  await admin.go(`${devices}`);
  await page.getByRole('link', { name: 'Add a device' }).click();
  await page.getByLabel('Its name').fill('greenhouse');
  await page.getByLabel('The public key').fill('ssh-ed25519 AAAA of somebody else');
  await page.getByRole('button', { name: 'Add it' }).click();
  await page.getByRole('alert').waitFor();
  refused(400);
  await page.goBack();
  await page.getByLabel('Its name').fill('greenhouse');
  await page.getByLabel('The public key').fill(made.key);
  await page.getByRole('button', { name: 'Add it' }).click();
  await page.getByText('The device is registered').waitFor();

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'gcp_iot_config.txt' }).click()]);
  assert.equal(download.suggestedFilename(), 'gcp_iot_config.txt');
  const agent = await system.agent(made.dir, await text(download));
  agent.ended.then(() => { if (agent.process.exitCode) admin.faults.push('the agent has ended'); });
  await life(page).getByText('connected', { exact: true }).waitFor();
  await until('its plot moves', async () => await points(page, '#plot-readings') > 2);
  const drawn = await points(page, '#plot-readings');
  await until('its plot goes on', async () => await points(page, '#plot-readings') > drawn);
});

async function text(download) {
  let all = '';
  for await (const part of await download.createReadStream()) all += part;
  return all;
}

show('a config is acknowledged, and shown so', async (page) => {
  await admin.go(`${devices}/greenhouse`);
  await page.getByLabel('The next version').fill('{"interval": ');
  await page.getByRole('button', { name: 'Send it', exact: true }).click();
  await page.getByText('is not JSON').waitFor();
  refused(400);
  await admin.go(`${devices}/greenhouse`);
  await page.getByLabel('The next version').fill('{"interval": "2s"}');
  await page.getByRole('button', { name: 'Send it', exact: true }).click();
  await page.getByText('The config is on its way').waitFor();
  await life(page).getByText(/version 2, acknowledged/).waitFor();
  await page.reload();
  await page.getByText(/^Version 2, .*acknowledged/).click();
  await page.locator('details pre').getByText('{"interval": "2s"}').waitFor();
});

show('who lies is seen, blocked, and gone within two seconds', async (page, t) => {
  await admin.go('/quarantine?reason=device_mismatch');
  const row = page.getByRole('row').filter({ hasText: 'device4' }).filter({ hasText: 'device1' }).first();
  await row.getByRole('link').first().click();
  await page.getByText('device4').first().waitFor();
  await page.getByText('device1').first().waitFor();
  assert.match(new URL(page.url()).pathname, /^\/quarantine\/./);
  await admin.judge('refusal');

  await page.getByRole('link', { name: 'device4', exact: true }).first().click();
  await life(page).getByText('connected', { exact: true }).waitFor();
  const clicked = Date.now();
  await page.getByRole('button', { name: 'Block and disconnect' }).click();
  await page.getByText('The device is blocked').waitFor();
  await life(page).getByText('not connected', { exact: true }).waitFor();
  const seen = Date.now() - clicked;
  await life(page).getByText('blocked', { exact: true }).first().waitFor();
  const ended = await until('the end of its connection is told', async () =>
    Date.parse(await life(page).locator('tbody tr').first().locator('time').getAttribute('datetime', { timeout: 1000 }).catch(() => '')));
  t.diagnostic(`disconnected ${ended - clicked} ms after the click, on the page after ${seen} ms`);
  assert.ok(ended - clicked < 10_000, `disconnected after ${ended - clicked} ms`); // 2 s, on a machine that is not busy
  await page.getByRole('button', { name: 'Unblock' }).waitFor();
  await admin.judge('device-blocked');
  await admin.go(`${devices}?kind=blocked`);
  await page.getByRole('link', { name: 'device4' }).waitFor();
});

show('what was refused is judged again, one or all', async (page) => {
  await admin.go('/quarantine?reason=malformed_body');
  await page.getByRole('row').nth(1).getByRole('link').first().click();
  await page.getByRole('button', { name: 'Judge it again' }).click();
  await page.getByRole('heading', { name: 'Replayed' }).waitFor();
  await page.getByRole('row', { name: /refused again 1$/ }).waitFor();
  await admin.judge('replayed');
  await admin.go('/quarantine?reason=device_mismatch');
  await page.getByRole('link', { name: /Replay these/ }).click();
  await admin.judge('replay');
  await page.getByRole('button', { name: 'Judge them again' }).click();
  await page.getByRole('row', { name: /refused again \d+$/ }).waitFor();
});

show('messages are looked at, and go on', async (page) => {
  await admin.go('/messages');
  await page.getByLabel('Subscription', { exact: true }).selectOption({ label: 'projects/demo/subscriptions/temperature-view' });
  await page.getByRole('button', { name: 'Look' }).click();
  await page.locator('article').first().getByText('temperature').first().waitFor();
  await admin.judge('messages');
});

show('a viewer changes nothing, by page or by hand', async () => {
  const token = await system.operator('vera', 'viewer');
  const viewer = await Window.open(browser, system.site.api);
  await until('the operators file is read', async () => {
    const answer = await viewer.context.request.post(`${system.site.api}/login`, { form: { token }, headers: { Origin: system.site.api } });
    return !answer.url().endsWith('/login');
  });
  for (const [name, path] of [['overview', '/'], ['registries', '/devices'], ['devices', devices], ['new', '/registries/RaspberryPiDevices/new'], ['device', `${devices}/device2`], ['quarantine', '/quarantine'], ['replay', '/replay?since=24h']]) {
    await viewer.go(path);
    assert.deepEqual(await viewer.page.locator('main form[method=post]').count(), 0, `${name} has forms`);
  }
  await viewer.go('/');
  const word = await viewer.page.locator('input[name=word]').first().getAttribute('value');
  for (const [path, form] of [
    [`${devices}/device2/block`, {}], [`${devices}/device2/delete`, { sure: 'device2' }], [`${devices}/device2/config`, { config: '{}', version: '1' }],
    [`${devices}/device2/command`, { command: 'x' }], ['/devices', { id: 'mine', mqtt: 'on' }],
    ['/replay', { reason: 'device_mismatch', since: new Date(0).toISOString().replace('.000', '') }],
  ]) {
    const answer = await viewer.context.request.post(system.site.api + path, { form: { word, ...form }, headers: { Origin: system.site.api }, maxRedirects: 0 });
    assert.equal(answer.status(), 403, path);
  }
  await viewer.go(`${devices}/device2`);
  await life(viewer.page).getByText('connected', { exact: true }).waitFor();
  viewer.clean();
  await viewer.context.close();
});

show('every page is whole, in light and dark, on a desk and on a phone', async (page) => {
  for (const [name, path] of [
    ['overview', '/'], ['registries', '/devices'], ['devices', devices], ['new', '/registries/RaspberryPiDevices/new'], ['device', `${devices}/greenhouse`],
    ['quarantine', '/quarantine'],
  ]) {
    const answer = await admin.go(path);
    assert.equal(answer.status(), 200, path);
    await admin.judge(name);
  }
  assert.equal((await admin.go('/nowhere')).status(), 404);
  refused(404);
  await admin.judge('problem');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('token').waitFor();
  await admin.judge('login');
});

show('boards that provision themselves are seen', async () => {
  const own = await System.start(programs, '--provision');
  try {
    const window = await Window.open(browser, own.site.api);
    await window.page.goto(await own.link());
    await window.page.getByRole('link', { name: 'Provisioning' }).click();
    await window.judge('provisioning');
    await window.page.locator('main tbody th a').first().click();
    await window.judge('profile');
    await window.page.getByRole('link', { name: 'allow', exact: true }).click();
    await window.judge('entries');
    await window.page.goBack();
    await window.page.locator('a[href*="/claims/"]').first().click();
    await window.judge('claim');
    await window.context.close();
  } finally {
    await own.end();
  }
});
