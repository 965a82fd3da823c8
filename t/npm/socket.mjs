// A client of a WebSocket: sends a word every 50 ms and prints what comes back
// once, as "open WORD", then "closed CODE" when that happens.
//
// usage: socket.mjs URL TOKEN

import WebSocket from 'ws';

const [url, token] = process.argv.slice(2);
const socket = new WebSocket(url, {
    headers: { Authorization: `Bearer ${token}` },
});
let seen = false;

socket.on('open', () => setInterval(() => socket.send('hello'), 50));
socket.on('message', (data) => {
    if (!seen) {
        console.log(`open ${data}`);
        seen = true;
    }
});
socket.on('error', (error) => console.log(`error ${error.message}`));
socket.on('close', (code) => {
    console.log(`closed ${code}`);
    process.exit(0);
});
