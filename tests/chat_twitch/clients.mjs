// Two clients of Twitch that are not ours, against a stand-in: tmi.js (chat over IRC on a WebSocket, anonymous) and
// twurple (EventSub and Helix). What they see is written as one JSON object a line; what twurple is to do comes as one
// JSON object a line.
//   node clients.mjs FOLDER tmi PORT CHANNEL
//   TWURPLE_MOCK_API_PORT=PORT node clients.mjs FOLDER twurple CLIENT TOKEN CHANNEL-ID USER-ID
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [folder, which, ...args] = process.argv.slice(2);
const require = createRequire(`${folder}/package.json`);
const tell = (seen) => process.stdout.write(`${JSON.stringify(seen)}\n`);
const sets = (badges) => Object.keys(badges ?? {}).sort();
// Nobody reads any more: nothing is left to do.
process.stdout.on('error', () => process.exit(0));

function tmi(port, channel) {
  const { Client } = require('tmi.js');
  const client = new Client({
    options: { skipUpdatingEmotesets: true, skipMembership: true, joinInterval: 300 },
    connection: { server: '127.0.0.1', port: Number(port), secure: false, reconnect: false },
    channels: [channel],
    logger: { info() {}, warn() {}, error(text) { console.error(text); } },
  });
  const said = (tags, text) => ({
    said: tags.id, author: tags['display-name'], user: tags['user-id'], text,
    badges: sets(tags.badges), reply: tags['reply-parent-msg-id'] ?? null,
    emotes: Object.entries(tags.emotes ?? {}).map(([id, at]) => `${id}:${at.join(',')}`),
    bits: Number(tags.bits ?? 0),
  });
  client.on('chat', (_, tags, text) => tell(said(tags, text)));
  client.on('cheer', (_, tags, text) => tell(said(tags, text)));
  client.on('action', (_, tags, text) => tell({ ...said(tags, text), action: true }));
  client.on('resub', (_, name, months, text, tags) =>
    tell({ notice: tags.id, author: name, text: `${tags['system-msg'].replaceAll('\\s', ' ')} ${text}` }));
  client.on('messagedeleted', (_, name, text, tags) => tell({ deleted: tags['target-msg-id'] }));
  client.on('timeout', (_, name, reason, seconds, tags) =>
    tell({ cleared: name, user: tags['target-user-id'], seconds }));
  client.on('ban', (_, name, reason, tags) =>
    tell({ cleared: name, user: tags['target-user-id'], seconds: null }));
  client.on('clearchat', () => tell({ cleared: null }));
  client.on('join', (_, name, self) => { if (self) tell({ ready: true }); });
  client.connect().catch((why) => { console.error(why); process.exit(1); });
}

async function twurple(clientId, token, channel, user) {
  const { ApiClient } = require('@twurple/api');
  const { getRawData } = require('@twurple/common');
  const { StaticAuthProvider } = require('@twurple/auth');
  const { EventSubWsListener } = require('@twurple/eventsub-ws');
  const logger = { minLevel: 'error' };
  const authProvider = new StaticAuthProvider(clientId, token);
  const apiClient = new ApiClient({ authProvider, logger });
  const listener = new EventSubWsListener({ apiClient, logger });
  const common = (event) => ({ author: event.chatterDisplayName, user: event.chatterId });
  const subscriptions = [
    listener.onChannelChatMessage(channel, user, (event) => tell({
      said: event.messageId, ...common(event), text: event.messageText, badges: sets(event.badges),
      reply: event.parentMessageId, bits: event.bits,
      emotes: event.messageParts.filter((part) => part.type === 'emote').map((part) => part.emote.id),
    })),
    listener.onChannelChatNotification(channel, user, (event) => tell({
      notice: event.messageId, author: event.chatterDisplayName, text: `${getRawData(event).system_message} ${event.messageText}`,
    })),
    listener.onChannelChatMessageDelete(channel, user, (event) => tell({ deleted: event.messageId })),
    listener.onChannelChatClearUserMessages(channel, user, (event) =>
      tell({ cleared: event.userName, user: event.userId })),
    listener.onChannelChatClear(channel, user, () => tell({ cleared: null })),
  ];
  const left = new Set(subscriptions.map((one) => one.id));
  listener.onSubscriptionCreateSuccess((one) => {
    if (left.delete(one.id) && left.size === 0) tell({ ready: true });
  });
  listener.onSubscriptionCreateFailure((one, why) => { console.error(one.id, why); process.exit(1); });
  listener.start();
  const act = {
    say: (as, { text, reply }) =>
      as.chat.sendChatMessage(channel, text, reply ? { replyParentMessageId: reply } : undefined),
    delete: (as, { id }) => as.moderation.deleteChatMessages(channel, id),
    ban: (as, { id, seconds }) =>
      as.moderation.banUser(channel, { user: id, reason: 'spam', ...(seconds ? { duration: seconds } : {}) }),
    lift: (as, { id }) => as.moderation.unbanUser(channel, id),
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    try {
      const done = await apiClient.asUser(user, (as) => act[order.do](as, order)) ?? null;
      tell({ done: order.do, id: done?.id ?? null, sent: done?.isSent ?? null });
    } catch (why) {
      tell({ done: order.do, failed: why.statusCode ?? why.code ?? String(why) });
    }
  }
  process.exit(0);
}

if (which === 'tmi') tmi(...args);
else await twurple(...args);
