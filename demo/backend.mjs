// The demo's backend: answers with what it was told of the caller. It checks
// nothing itself; that is the point.
//
// usage: node backend.mjs PORT

import { createServer } from 'node:http';

createServer((request, response) => {
  const told = Object.entries(request.headers)
    .filter(([name]) => name.startsWith('x-proxy-user-'));

  request.resume();
  response.setHeader('Content-Type', 'application/json');
  response.end(`${JSON.stringify(Object.fromEntries(told))}\n`);
}).listen(Number(process.argv[2]), '127.0.0.1');
