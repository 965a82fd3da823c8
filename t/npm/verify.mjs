// Verifies an assertion as a backend would: with jose and the key set at a
// URL. Prints the claims as JSON, or "refused: " and jose's code for why.
//
// usage: verify.mjs JWKS-URL ISSUER AUDIENCE [TOKEN ...]

import { createRemoteJWKSet, jwtVerify } from 'jose';

const [url, issuer, audience, ...tokens] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(url));

for (const token of tokens) {
    try {
        const { payload, protectedHeader } =
            await jwtVerify(token, keys, { issuer, audience });
        console.log(JSON.stringify({ ...payload, header: protectedHeader }));
    } catch (error) {
        console.log(`refused: ${error.code}`);
    }
}
