// A real provider with one application that is told of log-outs, and one human
// who logs in there and out again, as a browser would.
//
// usage: node logout.mjs ISSUER BACKCHANNEL_LOGOUT_URI
//
// Prints "ready", then alice's access token as "token ...". Logs her out when
// a line comes in, and says what the application answered.

import { createHash, randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const [issuer, application] = process.argv.slice(2);
const resource = 'https://api.example.com';
const say = (...words) => console.log(words.join(' '));

// What it advises those who are no test.
console.info = () => {};

const provider = new Provider(issuer, {
  // Its own fetch refuses to talk to this machine.
  fetch(url, options) {
    delete options.dispatcher;
    return globalThis.fetch(url, options);
  },
  clients: [{
    client_id: 'website',
    client_secret: 'website-secret',
    redirect_uris: ['https://website.example.com/callback'],
    backchannel_logout_uri: application,
    backchannel_logout_session_required: true,
  }],
  cookies: { keys: ['test'] },
  features: {
    backchannelLogout: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      getResourceServerInfo: () => ({
        audience: 'api',
        scope: 'read',
        accessTokenTTL: 3600,
        accessTokenFormat: 'jwt',
      }),
      useGrantedResource: () => true,
    },
  },
});

provider.on('backchannel.success', (ctx, client, account) =>
  say('told', client.clientId, account));
provider.on('backchannel.error', (ctx, error) =>
  say('error', error.message, error.error_description ?? ''));

const { hostname, port } = new URL(issuer);
provider.listen(Number(port), hostname, () => say('ready'));

const cookies = new Map();

// Follows redirects until one leads back to the application, or to a page.
async function visit(url, form) {
  const answer = await fetch(url, {
    method: form ? 'POST' : 'GET',
    redirect: 'manual',
    headers: { cookie: [...cookies].map((c) => c.join('=')).join('; ') },
    body: form && new URLSearchParams(form),
  });

  for (const cookie of answer.headers.getSetCookie()) {
    const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
    cookies.set(name, value);
  }

  const location = answer.headers.get('location');
  if (!location) {
    return { url, text: await answer.text() };
  }

  const next = new URL(location, url).href;
  return next.startsWith(issuer) ? visit(next) : { url: next, text: '' };
}

async function login() {
  const verifier = randomBytes(32).toString('base64url');
  const back = 'https://website.example.com/callback';

  let { url } = await visit(`${issuer}/auth?${new URLSearchParams({
    client_id: 'website',
    response_type: 'code',
    scope: 'openid read',
    redirect_uri: back,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })}`);

  ({ url } = await visit(url, { prompt: 'login', login: 'alice',
    password: 'any' }));
  ({ url } = await visit(url, { prompt: 'consent' }));

  const basic = Buffer.from('website:website-secret').toString('base64');
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      redirect_uri: back,
      code: new URL(url).searchParams.get('code'),
      code_verifier: verifier,
    }),
  });
  const body = await answer.json();

  say(body.access_token ? `token ${body.access_token}`
                        : `error ${JSON.stringify(body)}`);
}

async function logout() {
  const { text } = await visit(`${issuer}/session/end`);
  const [, xsrf] = text.match(/name="xsrf"[^>]*value="([^"]+)"/)
                || text.match(/value="([^"]+)"[^>]*name="xsrf"/) || [];

  await visit(`${issuer}/session/end/confirm`, { xsrf, logout: 'yes' });
  say('out');
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    await (line === 'login' ? login() : logout());
  } catch (error) {
    say('error', error.stack.replaceAll('\n', ' '));
  }
}

process.exit(0);
