// A backend whose answers do not end: a WebSocket that echoes at any path,
// an event a tenth of a second at /sse, bytes without an end at /long, and a
// request that is not answered at /silent.
//
// usage: stream.mjs PORT

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://x').pathname;

    if (path.endsWith('/silent')) {
        return;
    }

    if (path.endsWith('/long')) {
        response.writeHead(200, { 'Content-Length': 1e12 });
        const more = () => {
            while (response.write(Buffer.alloc(16384, 'x'))) { /* more */ }
        };
        response.on('drain', more);
        more();
        return;
    }

    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const timer = setInterval(() => response.write('data: x\n\n'), 100);
    response.on('close', () => clearInterval(timer));
});

new WebSocketServer({ server }).on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data.toString()));
});

server.listen(Number(process.argv[2]), '127.0.0.1',
              () => console.log('listening'));
