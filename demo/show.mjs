// Runs the demo's commands one by one, as they are printed, and says whether
// each answer was the promised one; then shows what was written down and what
// the backend was told. It starts and stops nothing.
//
// usage: (environment of demo/run) node show.mjs AUDIT-LOG
// exit: 0 if every row was as promised, else 1

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const [auditLog] = process.argv.slice(2);
const { GATE: gate, IDP: idp, ALICE: alice } = process.env;
const SLOWEST_MS = 1000;

const paint = (code, text) =>
  (process.stdout.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text);
const heading = (text) => console.log(`\n${paint(1, text)}\n`);
const columns = (...cells) =>
  cells.map(([text, width]) => text.padEnd(width)).join('  ').trimEnd();

const promises = [];
let failed = 0;

function row(what, promised, answer, command) {
  const kept = answer === promised || answer.startsWith(`${promised} `);
  const mark = kept ? paint(32, 'ok') : paint(31, 'NO');

  if (!kept) {
    failed += 1;
    answer += ` instead of ${promised}`;
  }
  console.log(` ${mark}  ${columns([what, 14], [answer, 30], [command, 0])}`);
}

// A command that fails has said why on stderr, where it shows.
function shell(line) {
  try {
    return execFileSync('bash', ['-c', line], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  } catch {
    return null;
  }
}

const answerOf = (status, body) =>
  [status, body.reason].filter(Boolean).join(' ');

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

// The line is run as printed; the options before it only make curl's answer
// readable by a program.
function request(what, promised, command, took = '') {
  const quiet = 'curl -sSw "\\n%{http_code}" ';
  const output = shell(command.replace(/^curl /, quiet));
  const [, text, status] = output?.match(/^(.*)\n(\d+)$/s) ?? [null, '', '-'];
  const body = parsed(text);

  promises.push(promised);
  row(what, promised, answerOf(status, body) + took, command);
  return body;
}

// From before the command starts to the first answer of the new kind: the
// time a person waits, so more than the module's own part.
async function change(what, command, promised, line) {
  const from = performance.now();
  const authorization = alice.replace(/^Authorization: /, '');
  let answer;

  const done = shell(command) === null ? 'failed' : 'done';

  do {
    const response = await fetch(`${gate}/poll`, {
      headers: { authorization, accept: 'application/json' },
    });
    answer = answerOf(response.status, parsed(await response.text()));
  } while (answer !== promised && performance.now() - from < SLOWEST_MS);

  const took = ` after ${Math.ceil(performance.now() - from)} ms`;

  row(what, 'done', done, command);
  request('Alice reads', promised, line, took);
}

// nginx writes the line after the answer has gone out.
async function auditLines() {
  for (let tries = 0; ; tries += 1) {
    const log = existsSync(auditLog) ? readFileSync(auditLog, 'utf8') : '';
    const lines = log.trim().split('\n')
      .map((text) => ({ text, ...parsed(text) }))
      .filter((line) => line.uri === '/books');

    if (lines.length >= promises.length || tries === 20) {
      return lines;
    }
    await sleep(50);
  }
}

function showAudit(lines) {
  const cells = (time, reason, status, method, name, roles, issuer) =>
    columns([time, 12], [reason, 20], [status, 6], [method, 6], [name, 14],
      [roles, 6], [issuer, 0]);

  console.log(`     ${cells('time', 'reason', 'status', 'method', 'name',
    'roles', 'issuer')}`);

  promises.forEach((promised, i) => {
    const line = lines[i] ?? {};
    const reason = promised.split(' ')[1] ?? 'ok';
    const kept = line.reason === reason
      && String(line.status) === promised.split(' ')[0];

    failed += kept ? 0 : 1;
    console.log(` ${kept ? paint(32, 'ok') : paint(31, 'NO')}  ${cells(
      (line.time ?? '-').slice(11, 23), line.reason ?? '-',
      String(line.status ?? '-'), line.method ?? '-', line.name ?? '-',
      (line.roles ?? ['-']).join(' '), line.issuer ?? '-',
    )}`);
  });

  console.log(`\nThe last of them in full:\n\n${lines.at(-1)?.text ?? '-'}`);
}

console.log(`
The gate is ${gate}, the identity provider ${idp}.
report-service and Alice are readers, deploy-service is an admin.
`);
console.log(paint(1, `     ${columns(['who does what', 14], ['answer', 30],
  ['command', 0])}`));

const read = (who) => `curl -H "$JSON" -H "$${who}" $GATE/books`;
const write = (who) => `curl -H "$JSON" -H "$${who}" -d new $GATE/books`;
const user = (verb) => `proxy-user user ${verb} "sub:$IDP#alice"`;

request('no token', '401 no_credential', 'curl -H "$JSON" $GATE/books');
request('reader reads', '200', read('READER'));
request('reader writes', '403 method_not_permitted', write('READER'));
request('admin writes', '200', write('ADMIN'));
request('forged token', '401 token_signature', read('FORGED'));
const told = request('Alice reads', '200', read('ALICE'));
await change('suspend Alice', user('suspend'), '403 user_suspended',
  read('ALICE'));
await change('resume Alice', user('resume'), '200', read('ALICE'));

heading('What was written down, a line for each request:');
showAudit(await auditLines());

heading('What the backend was told of Alice:');
for (const [name, value] of Object.entries(told)) {
  console.log(`     ${name}: ${value}`);
}
if (told['x-proxy-user-name'] !== 'alice'
    || told['x-proxy-user-roles'] !== 'reader') {
  failed += 1;
  console.log(` ${paint(31, 'NO')}  promised: alice, reader`);
}

console.log(failed === 0 ? '\nEverything was as promised.'
  : `\n${failed} of it was not as promised.`);
process.exitCode = failed === 0 ? 0 : 1;
