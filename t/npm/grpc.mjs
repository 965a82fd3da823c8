// A gRPC backend whose calls do not end: a message of no bytes a tenth of a
// second.
//
// usage: grpc.mjs PORT

import { createServer } from 'node:http2';

const server = createServer();

server.on('stream', (stream) => {
    stream.on('error', () => { /* the gateway has cut it off */ });
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    const timer = setInterval(() => stream.write(Buffer.alloc(5)), 100);
    stream.on('close', () => clearInterval(timer));
});

server.listen(Number(process.argv[2]), '127.0.0.1',
              () => console.log('listening'));
