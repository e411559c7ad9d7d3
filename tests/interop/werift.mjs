// A WHIP server made of werift (npm): WebRTC in TypeScript. Variants: no-twcc; silent (transport-cc is in the answer, but
// its header extension is not, so nothing is ever reported).

import * as werift from 'werift';
import { options, serve } from './whip.mjs';

const twcc = options.variant !== 'no-twcc';
const extension = twcc && options.variant !== 'silent';

serve(async (offer, count) => {
  const feedback = [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }, { type: 'goog-remb' }];
  if (twcc) feedback.push({ type: 'transport-cc' });
  const codec = more => new werift.RTCRtpCodecParameters(more);
  const extensions = () => (extension ? [werift.useTransportWideCC()] : []);
  const pc = new werift.RTCPeerConnection({
    iceServers: [],
    iceUseIpv6: false,
    iceInterfaceAddresses: { udp4: options.host },
    iceAdditionalHostAddresses: [options.host],
    headerExtensions: { video: extensions(), audio: extensions() },
    codecs: {
      audio: [codec({ mimeType: 'audio/opus', clockRate: 48000, channels: 2 })],
      video: [codec({
        mimeType: 'video/H264', clockRate: 90000, rtcpFeedback: feedback,
        parameters: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
      })],
    },
  });
  pc.connectionStateChange.subscribe(state => {
    if (state === 'failed' || state === 'closed') count.end('ice');
  });
  pc.onTrack.subscribe(track => {
    track.onReceiveRtp.subscribe(packet => count.packet(track.kind, packet.serialize()));
  });
  await pc.setRemoteDescription({ type: 'offer', sdp: offer });
  await pc.setLocalDescription(await pc.createAnswer());
  return {
    answer: pc.localDescription.sdp,
    close: () => pc.close(),
    candidate: line => pc.addIceCandidate({ candidate: line, sdpMLineIndex: 0 }).catch(() => {}),
  };
});
