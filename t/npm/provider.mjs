// A real identity provider, oidc-provider, with signing keys of the test's:
// of those in KEYS, a set of private ones, the first of a kind signs. It gives
// a JWT to the client "job" and writes the path of each request into LOG. Its
// keys are what they are at its start: a rotation is another start.
//
// usage: provider.mjs PORT KEYS LOG

import { appendFileSync, readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const [port, keys, log] = process.argv.slice(2);
const api = 'https://api.example.com';

const provider = new Provider(`http://127.0.0.1:${port}`, {
    jwks: JSON.parse(readFileSync(keys, 'utf8')),
    clients: [{
        client_id: 'job',
        client_secret: 'job-secret',
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        id_token_signed_response_alg: 'ES256',
    }],
    features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
            enabled: true,
            getResourceServerInfo: () => ({
                audience: api,
                scope: 'read',
                accessTokenTTL: 3600,
                accessTokenFormat: 'jwt',
                jwt: { sign: { alg: 'ES256' } },
            }),
        },
    },
});

provider.use((ctx, next) => {
    appendFileSync(log, `${ctx.path}\n`);
    return next();
});

provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
