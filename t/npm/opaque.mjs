// A real identity provider, oidc-provider, whose access tokens are no JWTs. It
// gives them to the client "job" and tells "gate" about them, whose secret
// needs to be encoded. It prints "token TOKEN", for the audience "api", once it
// is ready and again for each line it reads.
//
// usage: opaque.mjs PORT

import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const [port] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const client = (id, secret) => ({
    client_id: id,
    client_secret: secret,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
});

const provider = new Provider(issuer, {
    clients: [client('job', 'job-secret'), client('gate', 's:cr+t %/"&')],
    features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        introspection: {
            enabled: true,
            allowedPolicy: (ctx, asks) => asks.clientId === 'gate',
        },
        revocation: { enabled: true },
        resourceIndicators: {
            enabled: true,
            getResourceServerInfo: () => ({
                audience: 'api',
                scope: 'read write',
                accessTokenTTL: 3600,
                accessTokenFormat: 'opaque',
            }),
        },
    },
    ttl: { ClientCredentials: 3600 },
    extraTokenClaims: () => ({ groups: ['reader'], tenant: 'blue' }),
});

const token = async () => {
    const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
            Authorization: `Basic ${btoa('job:job-secret')}`,
        },
        body: new URLSearchParams({
            grant_type: 'client_credentials',
            scope: 'read',
            resource: 'https://api.example.com',
        }),
    });
    const { access_token } = await answer.json();
    console.log(`token ${access_token}`);
};

provider.listen(Number(port), '127.0.0.1', async () => {
    await token();
    for await (const line of createInterface({ input: process.stdin })) {
        await token();
    }
});
