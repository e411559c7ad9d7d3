// A WHIP server made of pion (v3, Debian's golang-github-pion-webrtc.v3-dev). Prints JSON lines; see ../README.md.
// pion 3 accepts RTX in its answer, reads retransmissions and drops them, and its NACK generator asks for every packet
// of the last 512 that is missing, every 100 ms: a hungry receiver without any option.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"
)

// consent is how long an ICE-lite session lives without a binding request (mediasoup: 30 s by default, live777: 10 s).
const consent = 15 * time.Second

var printing sync.Mutex

func say(what string, more map[string]any) {
	line := map[string]any{"what": what}
	for key, value := range more {
		line[key] = value
	}
	printing.Lock()
	defer printing.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(line)
}

// socket is the one UDP socket of all sessions. It sees when each address last sent a STUN binding request.
type socket struct {
	net.PacketConn
	mu       sync.Mutex
	requests map[string]time.Time
}

func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.PacketConn.ReadFrom(b)
	if err == nil && n >= 20 && b[0] == 0 && b[1] == 1 {
		s.mu.Lock()
		s.requests[from.String()] = time.Now()
		s.mu.Unlock()
	}
	return n, from, err
}

func (s *socket) lastRequest(from string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.requests[from]
	return at, known
}

// count is what one session has received.
type count struct {
	mu                                sync.Mutex
	bytes, video, audio, frames, keys int
	lost, nacks                       int
	last                              int
	began                             bool
}

func (c *count) packet(p *rtp.Packet, video bool) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += p.MarshalSize()
	if !video {
		c.audio++
		return false
	}
	c.video++
	if c.last >= 0 {
		step := int(p.SequenceNumber - uint16(c.last))
		if step > 0 && step < 1<<15 {
			c.lost += step - 1
			c.last = int(p.SequenceNumber)
		} else if step != 0 && c.lost > 0 {
			c.lost--
		}
	} else {
		c.last = int(p.SequenceNumber)
	}
	if key(p.Payload) {
		c.keys++
	}
	if p.Marker {
		c.frames++
		first = !c.began
		c.began = true
	}
	return first
}

// key says whether an IDR slice begins in this packet (RFC 6184, sections 5.4 to 5.8).
func key(payload []byte) bool {
	if len(payload) < 2 {
		return false
	}
	switch kind := payload[0] & 31; kind {
	case 24:
		for at := 1; at+2 < len(payload); {
			size := int(payload[at])<<8 | int(payload[at+1])
			if payload[at+2]&31 == 5 {
				return true
			}
			at += 2 + size
		}
		return false
	case 28:
		return payload[1]&0x80 != 0 && payload[1]&31 == 5
	default:
		return kind == 5
	}
}

func (c *count) read() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return map[string]any{"bytes": c.bytes, "video": c.video, "audio": c.audio, "frames": c.frames, "keys": c.keys,
		"lost": c.lost, "nacks": c.nacks}
}

// counted counts the packets that this side asks for again.
type counted struct {
	interceptor.NoOp
	count *count
}

func (c *counted) NewInterceptor(string) (interceptor.Interceptor, error) { return c, nil }

func (c *counted) BindRTCPWriter(writer interceptor.RTCPWriter) interceptor.RTCPWriter {
	return interceptor.RTCPWriterFunc(func(packets []rtcp.Packet, a interceptor.Attributes) (int, error) {
		for _, packet := range packets {
			if nack, is := packet.(*rtcp.TransportLayerNack); is {
				c.count.mu.Lock()
				for _, pair := range nack.Nacks {
					c.count.nacks += len(pair.PacketList())
				}
				c.count.mu.Unlock()
			}
		}
		return writer.Write(packets, a)
	})
}

// nonsense asks, 20 times a second, for packets that were received, that are long gone, and that never were.
func nonsense(pc *webrtc.PeerConnection, ssrc uint32, c *count, over chan struct{}) {
	for turn := uint16(0); ; turn++ {
		select {
		case <-over:
			return
		case <-time.After(50 * time.Millisecond):
		}
		c.mu.Lock()
		last := uint16(c.last)
		c.mu.Unlock()
		pairs := []rtcp.NackPair{}
		for _, from := range []uint16{last - 16, last - 100, last - 5000, last + 200, last + 30000, turn * 977} {
			for block := uint16(0); block < 3; block++ {
				pairs = append(pairs, rtcp.NackPair{PacketID: from + block*17, LostPackets: 0xffff})
			}
		}
		_ = pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: ssrc, Nacks: pairs}})
	}
}

func main() {
	host := flag.String("host", "127.0.0.1", "the address to listen at, also for media")
	port := flag.Int("port", 0, "the port of HTTP")
	variant := flag.String("variant", "", "no-twcc, silent, no-rtcp, nonsense or lite")
	flag.Parse()

	raw, err := net.ListenPacket("udp4", *host+":0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	udp := &socket{PacketConn: raw, requests: map[string]time.Time{}}
	mux := webrtc.NewICEUDPMux(logging.NewDefaultLoggerFactory().NewLogger("mux"), udp)

	var mu sync.Mutex
	sessions := map[string]*webrtc.PeerConnection{}
	number := 0

	answer := func(offer string) (string, string, error) {
		c := &count{last: -1}
		media := &webrtc.MediaEngine{}
		if err := media.RegisterDefaultCodecs(); err != nil {
			return "", "", err
		}
		registry := &interceptor.Registry{}
		// The writer that is bound last is called first, so the counter goes in before what it is to count.
		registry.Add(&counted{count: c})
		if err := webrtc.ConfigureNack(media, registry); err != nil {
			return "", "", err
		}
		if *variant != "no-rtcp" {
			if err := webrtc.ConfigureRTCPReports(registry); err != nil {
				return "", "", err
			}
		}
		switch *variant {
		case "no-twcc", "no-rtcp":
		case "silent":
			// Accepted in the answer, never sent.
			if err := webrtc.ConfigureTWCCSender(media, &interceptor.Registry{}); err != nil {
				return "", "", err
			}
		default:
			if err := webrtc.ConfigureTWCCSender(media, registry); err != nil {
				return "", "", err
			}
		}
		settings := webrtc.SettingEngine{}
		settings.SetICEUDPMux(mux)
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		settings.SetIncludeLoopbackCandidate(true)
		settings.SetLite(*variant == "lite")
		api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings),
			webrtc.WithInterceptorRegistry(registry))
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			return "", "", err
		}
		mu.Lock()
		number++
		n := number
		mu.Unlock()
		over := make(chan struct{})
		var once sync.Once
		end := func(by string) {
			once.Do(func() {
				close(over)
				say("ended", map[string]any{"n": n, "by": by})
			})
		}
		pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
			say("state", map[string]any{"n": n, "state": state.String()})
			switch state {
			case webrtc.PeerConnectionStateFailed:
				end("ice")
				_ = pc.Close()
			case webrtc.PeerConnectionStateClosed:
				end("close")
			}
		})
		pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
			video := track.Kind() == webrtc.RTPCodecTypeVideo
			if video && *variant == "nonsense" {
				go nonsense(pc, uint32(track.SSRC()), c, over)
			}
			for {
				packet, _, err := track.ReadRTP()
				if err != nil {
					return
				}
				if c.packet(packet, video) {
					say("frame", map[string]any{"n": n})
				}
			}
		})
		go func() {
			began := time.Now()
			for {
				select {
				case <-over:
					return
				case <-time.After(100 * time.Millisecond):
				}
				received := c.read()
				received["n"] = n
				say("received", received)
				if *variant != "lite" {
					continue
				}
				for _, transceiver := range pc.GetTransceivers() {
					pair, err := transceiver.Receiver().Transport().ICETransport().GetSelectedCandidatePair()
					if err != nil || pair == nil {
						continue
					}
					from := fmt.Sprintf("%s:%d", pair.Remote.Address, pair.Remote.Port)
					last, known := udp.lastRequest(from)
					if !known {
						last = began
					}
					if time.Since(last) > consent {
						end("consent")
						_ = pc.Close()
						return
					}
				}
			}
		}()
		if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
			_ = pc.Close()
			return "", "", err
		}
		made, err := pc.CreateAnswer(nil)
		if err != nil {
			_ = pc.Close()
			return "", "", err
		}
		gathered := webrtc.GatheringCompletePromise(pc)
		if err := pc.SetLocalDescription(made); err != nil {
			_ = pc.Close()
			return "", "", err
		}
		<-gathered
		id := fmt.Sprintf("s%d", n)
		mu.Lock()
		sessions[id] = pc
		mu.Unlock()
		text := pc.LocalDescription().SDP
		say("session", map[string]any{"n": n, "offer": offer, "answer": text})
		return id, text, nil
	}

	http.HandleFunc("/whip", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		id, text, err := answer(string(body))
		if err != nil {
			say("refused", map[string]any{"reason": err.Error()})
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/sdp")
		w.Header().Set("Location", "/session/"+id)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, text)
	})
	http.HandleFunc("/session/", func(w http.ResponseWriter, r *http.Request) {
		id := strings.TrimPrefix(r.URL.Path, "/session/")
		mu.Lock()
		pc := sessions[id]
		mu.Unlock()
		switch {
		case pc == nil:
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodDelete:
			mu.Lock()
			delete(sessions, id)
			mu.Unlock()
			_ = pc.Close()
		default:
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
	listener, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", *host, *port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	say("listening", map[string]any{"url": fmt.Sprintf("http://%s/whip", listener.Addr())})
	fmt.Fprintln(os.Stderr, http.Serve(listener, nil))
}
