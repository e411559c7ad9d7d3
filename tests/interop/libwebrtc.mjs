// A WHIP server made of libwebrtc (npm @roamhq/wrtc), the stack of Chromium: it decodes, conceals, asks again and reports
// as a browser does. This build has no H.264, so the show is VP8. Frames and losses are its own statistics.

import { createRequire } from 'node:module';
import { serve } from './whip.mjs';

const wrtc = createRequire(import.meta.url)('@roamhq/wrtc');

serve(async (offer, count) => {
  const pc = new wrtc.RTCPeerConnection({ iceServers: [] });
  const sinks = [];
  pc.ontrack = ({ track }) => {
    if (track.kind !== 'video') return;
    const sink = new wrtc.nonstandard.RTCVideoSink(track);
    sink.onframe = () => count.frame();
    sinks.push(sink);
  };
  pc.onconnectionstatechange = () => {
    if (pc.connectionState === 'failed' || pc.connectionState === 'closed') count.end('ice');
  };
  await pc.setRemoteDescription({ type: 'offer', sdp: offer });
  await pc.setLocalDescription(await pc.createAnswer());
  if (pc.iceGatheringState !== 'complete') {
    await new Promise(done => {
      pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done();
      setTimeout(done, 1000);
    });
  }
  const look = setInterval(async () => {
    let bytes = 0;
    try {
      (await pc.getStats()).forEach(one => {
        if (one.type !== 'inbound-rtp') return;
        bytes += (one.bytesReceived ?? 0) + (one.headerBytesReceived ?? 0);
        if (one.kind === 'audio') count.now.audio = one.packetsReceived;
        else Object.assign(count.now, {
          video: one.packetsReceived, lost: Math.max(0, one.packetsLost), nacks: one.nackCount ?? 0,
          keys: one.keyFramesDecoded ?? 0,
        });
      });
    } catch { return; }
    count.now.bytes = bytes;
  }, 100);
  return {
    answer: pc.localDescription.sdp,
    close: () => {
      clearInterval(look);
      sinks.forEach(sink => sink.stop());
      pc.close();
    },
    candidate: line => pc.addIceCandidate({ candidate: line, sdpMLineIndex: 0 }).catch(() => {}),
  };
});
