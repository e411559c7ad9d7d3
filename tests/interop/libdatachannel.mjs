// A WHIP server made of libdatachannel (npm node-datachannel). It takes transport-cc into its answer, as the offer has
// it, and never reports; its receiver reports come in answer to sender reports, and it asks for nothing again. Variant:
// no-twcc (the line is taken out of the answer).

import datachannel from 'node-datachannel';
import { options, serve } from './whip.mjs';

datachannel.initLogger('Error', (level, message) => process.stderr.write(`${level}: ${message}\n`));
const kept = new Set();

serve((offer, count) => new Promise((done, failed) => {
  const pc = new datachannel.PeerConnection(`session-${count.n}`, {
    iceServers: [], bindAddress: options.host, disableAutoNegotiation: true,
  });
  const session = { pc, tracks: [] };
  kept.add(session);
  pc.onTrack(track => {
    const receiving = new datachannel.RtcpReceivingSession();
    track.setMediaHandler(receiving);
    const kind = track.type();
    track.onMessage(packet => {
      // RTCP comes through here too (RFC 5761, section 4).
      if (packet.length >= 12 && (packet[1] < 192 || packet[1] > 223)) count.packet(kind, packet);
    });
    session.tracks.push(track, receiving);
  });
  pc.onStateChange(state => {
    if (state === 'failed' || state === 'closed' || state === 'disconnected') count.end(state);
  });
  pc.onGatheringStateChange(state => {
    if (state !== 'complete') return;
    let answer = pc.localDescription().sdp;
    if (options.variant === 'no-twcc') answer = answer.replace(/a=(rtcp-fb:\S+ transport-cc|extmap:\S+ \S*transport-wide-cc\S*)\r\n/g, '');
    done({
      answer,
      close: () => { pc.close(); kept.delete(session); },
      candidate: line => pc.addRemoteCandidate(line, '0'),
    });
  });
  try {
    pc.setRemoteDescription(offer, 'offer');
    pc.setLocalDescription('answer');
  } catch (error) {
    failed(error);
  }
}));
