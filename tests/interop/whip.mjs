// What the receivers of Node have in common: WHIP over HTTP, counting RTP, JSON lines on stdout (see README.md).

import http from 'node:http';

export const options = (() => {
  const given = { host: '127.0.0.1', port: 0, variant: '' };
  const words = process.argv.slice(2);
  for (let at = 0; at + 1 < words.length; at += 2) given[words[at].replace(/^--?/, '')] = words[at + 1];
  return given;
})();

export function say(what, more = {}) {
  process.stdout.write(JSON.stringify({ what, ...more }) + '\n');
}

// Whether an IDR slice begins in this packet (RFC 6184, sections 5.4 to 5.8).
function key(payload) {
  if (payload.length < 2) return false;
  const kind = payload[0] & 31;
  if (kind === 28) return (payload[1] & 0x80) !== 0 && (payload[1] & 31) === 5;
  if (kind !== 24) return kind === 5;
  for (let at = 1; at + 2 < payload.length; at += 2 + payload.readUInt16BE(at)) {
    if ((payload[at + 2] & 31) === 5) return true;
  }
  return false;
}

// Where the payload of an RTP packet begins (RFC 3550, section 5.1).
function payloadAt(packet) {
  let at = 12 + 4 * (packet[0] & 15);
  if (packet[0] & 0x10 && packet.length >= at + 4) at += 4 + 4 * packet.readUInt16BE(at + 2);
  return at;
}

export class Count {
  constructor(n) {
    this.n = n;
    this.now = { bytes: 0, video: 0, audio: 0, frames: 0, keys: 0, lost: 0, nacks: null };
    this.last = null;
    this.began = false;
    this.timer = setInterval(() => say('received', { n: this.n, ...this.now }), 100);
  }

  frame() {
    this.now.frames += 1;
    if (!this.began) say('frame', { n: this.n });
    this.began = true;
  }

  packet(kind, packet) {
    this.now.bytes += packet.length;
    this.now[kind] += 1;
    if (kind !== 'video') return;
    const seq = packet.readUInt16BE(2);
    if (this.last === null) this.last = seq;
    const step = (seq - this.last) & 0xffff;
    if (step > 0 && step < 0x8000) {
      this.now.lost += step - 1;
      this.last = seq;
    } else if (step !== 0 && this.now.lost > 0) {
      this.now.lost -= 1;
    }
    if (key(packet.subarray(payloadAt(packet)))) this.now.keys += 1;
    if (packet[1] & 0x80) this.frame();
  }

  end(by) {
    if (this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    say('ended', { n: this.n, by });
  }
}

// `open(offer, count)` gives { answer, close(), candidate?(line) }.
export function serve(open) {
  const sessions = new Map();
  let number = 0;
  const handle = async (request, body) => {
    if (request.method === 'POST' && request.url === '/whip') {
      const count = new Count(++number);
      try {
        const session = await open(body, count);
        sessions.set(`/session/${count.n}`, { ...session, count });
        say('session', { n: count.n, offer: body, answer: session.answer });
        const headers = { 'content-type': 'application/sdp', location: `/session/${count.n}` };
        return [201, headers, session.answer];
      } catch (error) {
        clearInterval(count.timer);
        say('refused', { reason: String(error?.stack ?? error) });
        return [500, { 'content-type': 'text/plain' }, String(error?.message ?? error)];
      }
    }
    const session = sessions.get(request.url);
    if (!session) return [404, {}, ''];
    if (request.method === 'PATCH' && session.candidate) {
      for (const line of body.split(/\r?\n/)) {
        if (line.startsWith('a=candidate:')) await session.candidate(line.slice(2));
      }
      return [204, {}, ''];
    }
    if (request.method !== 'DELETE') return [405, {}, ''];
    sessions.delete(request.url);
    session.count.end('delete');
    await session.close();
    return [200, {}, ''];
  };
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', part => { if (body.length < 1 << 20) body += part; });
    request.on('end', async () => {
      const [status, headers, text] = await handle(request, body);
      response.writeHead(status, headers);
      response.end(text);
    });
  });
  server.listen(Number(options.port), options.host, () => {
    say('listening', { url: `http://${options.host}:${server.address().port}/whip` });
  });
  process.on('uncaughtException', error => {
    process.stderr.write(`${error.stack}\n`);
    say('broken', { reason: String(error.message) });
  });
}
