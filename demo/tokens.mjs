// Gets tokens from the demo's provider the way its clients would: services by
// client_credentials, Alice by logging in (authorization code with PKCE).
// Writes the shell variables that the demo's curl lines use.
//
// usage: IDP=... GATE=... node tokens.mjs > env

import { createHash, randomBytes } from 'node:crypto';

const { IDP: idp, GATE: gate } = process.env;
const resource = 'https://api.example.com';
const callback = 'http://127.0.0.1/callback';

async function token(form, headers = {}) {
  const answer = await fetch(`${idp}/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ resource, ...form }),
  });
  const body = await answer.json();

  if (!body.access_token) {
    throw new Error(`no token: ${JSON.stringify(body)}`);
  }
  return body.access_token;
}

function serviceToken(id) {
  const basic = Buffer.from(`${id}:${id}-secret`).toString('base64');

  return token(
    { grant_type: 'client_credentials', scope: 'read write' },
    { authorization: `Basic ${basic}` },
  );
}

// A browser, as far as the provider can tell: it keeps cookies and follows
// redirects until the one that leads back to the application.
function browser() {
  const cookies = new Map();

  return async function visit(url, form) {
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
      return url;
    }

    const next = new URL(location, url).href;
    return next.startsWith(callback) ? next : visit(next);
  };
}

async function humanToken(login) {
  const verifier = randomBytes(32).toString('base64url');
  const visit = browser();

  let page = await visit(`${idp}/auth?${new URLSearchParams({
    client_id: 'browser-app',
    response_type: 'code',
    scope: 'openid read write',
    resource,
    redirect_uri: callback,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })}`);

  page = await visit(page, { prompt: 'login', login, password: 'any' });
  page = await visit(page, { prompt: 'consent' });

  return token({
    grant_type: 'authorization_code',
    client_id: 'browser-app',
    redirect_uri: callback,
    code: new URL(page).searchParams.get('code'),
    code_verifier: verifier,
  });
}

// Says it is an admin's, under the signature of a reader's.
function forge(genuine) {
  const [header, payload, signature] = genuine.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));

  claims.groups = ['api-admins'];
  const lie = Buffer.from(JSON.stringify(claims)).toString('base64url');
  return [header, lie, signature].join('.');
}

const reader = await serviceToken('report-service');
const admin = await serviceToken('deploy-service');
const alice = await humanToken('alice');

const say = (name, value) => console.log(`export ${name}='${value}'`);
const bearer = (name, value) => say(name, `Authorization: Bearer ${value}`);

say('GATE', gate);
say('IDP', idp);
say('JSON', 'Accept: application/json');
bearer('READER', reader);
bearer('ADMIN', admin);
bearer('ALICE', alice);
bearer('FORGED', forge(reader));
