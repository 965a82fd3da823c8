// What many put beside nginx: a server for auth_request that verifies a token
// with jose and looks for the role. It knows no users and remembers nothing.
// 204 is yes, 401 and 403 are no.
//
// usage: auth.mjs PORT JWKS-FILE

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createLocalJWKSet, jwtVerify } from 'jose';

const [port, file] = process.argv.slice(2);
const keys = createLocalJWKSet(JSON.parse(readFileSync(file, 'utf8')));
const options = {
    issuer: 'https://idp.example.com',
    audience: 'api',
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    requiredClaims: ['exp', 'sub'],
    clockTolerance: 30,
};

async function status(header = '') {
    const [scheme, token] = header.split(' ');

    if (scheme !== 'Bearer' || !token) {
        return 401;
    }

    try {
        const { payload } = await jwtVerify(token, keys, options);
        return payload.roles?.includes('reader') ? 204 : 403;
    } catch {
        return 401;
    }
}

const server = createServer(async (request, response) => {
    response.writeHead(await status(request.headers.authorization));
    response.end();
});

// nginx keeps its connections: one that ends meanwhile would be an error.
server.keepAliveTimeout = 600_000;
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
