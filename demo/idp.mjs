// The demo's identity provider: a real one, oidc-provider, with two services
// and one human. Not an example of how to run a provider: it logs in anybody
// who says a name, and its keys are new at every start.
//
// usage: IDP=http://127.0.0.1:PORT node idp.mjs

import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const issuer = process.env.IDP;
const api = 'https://api.example.com';

const groups = {
  'report-service': ['api-readers'],
  'deploy-service': ['api-admins'],
  alice: ['api-readers'],
};

const signingKey = (alg, type, options) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  alg,
  use: 'sig',
});

const service = (id) => ({
  client_id: id,
  client_secret: `${id}-secret`,
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
});

const provider = new Provider(issuer, {
  jwks: {
    keys: [
      signingKey('RS256', 'rsa', { modulusLength: 2048 }),
      signingKey('ES256', 'ec', { namedCurve: 'P-256' }),
    ],
  },
  clients: [
    service('report-service'),
    service('deploy-service'),
    {
      client_id: 'browser-app',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/callback'],
    },
  ],
  cookies: { keys: ['demo'] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource, client) => ({
        audience: api,
        scope: 'read write',
        accessTokenTTL: 3600,
        accessTokenFormat: 'jwt',
        // Both kinds of key are used: people's tokens and services'.
        jwt: {
          sign: { alg: client.clientId === 'browser-app' ? 'ES256' : 'RS256' },
        },
      }),
    },
  },
  extraTokenClaims: (ctx, token) => ({
    groups: groups[token.accountId ?? token.clientId] ?? [],
  }),
});

const { hostname, port } = new URL(issuer);
provider.listen(Number(port), hostname);
