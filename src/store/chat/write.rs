//! Steps of a show's chat, written. Every call is part of a transaction that the keeper holds, and may be made again:
//! what is there already stays as it is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, named_params, params};

use super::{ChatSource, Heard, Unstored, how_of, word};
use crate::{
    base::SourceId,
    chat::{
        Amount, Author, Kind, Message, MessageId, Removal, Text, Update, UserId,
        language::Language,
        person::login,
        room::Ours,
        told::{RemovedHow, Told},
    },
};

/// `flags` of a message.
pub const BACKLOG: i64 = 1;
/// The same.
pub const OWN: i64 = 2;
/// The same.
pub const LATE: i64 = 4;

/// Columns that a removal empties.
const EMPTY: &str = "text = NULL, finds = NULL, language = NULL, lang = NULL";

/// Milliseconds since 1970, and the nanoseconds beyond.
pub fn split(at: Timestamp) -> (i64, i64) {
    let ns = at.as_nanosecond();
    (ns.div_euclid(1_000_000) as i64, ns.rem_euclid(1_000_000) as i64)
}

/// The chat of a show that is being written.
#[derive(Debug, Clone)]
pub struct Lines {
    show: i64,
    sources: BTreeMap<SourceId, i64>,
}

/// A note that many lines were removed: a person's, or all of a source (nobody is named then).
struct Cleared<'a> {
    source: i64,
    at: i64,
    how: &'a str,
    account: &'a str,
    called: &'a str,
    name: &'a str,
    seconds: Option<i64>,
}

/// When and how something was removed, as the tables hold it.
type Gone = Option<(String, i64)>;

impl Lines {
    /// Writes the sources of a show.
    pub fn begin(db: &Connection, show: i64, sources: &[ChatSource]) -> rusqlite::Result<Self> {
        let mut ids = BTreeMap::new();
        for (source, id) in sources.iter().zip(1_i64..) {
            db.execute(
                "INSERT INTO chat_source (show, id, name, kind, platform, market, keep_days)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    show,
                    id,
                    source.id.as_str(),
                    source.kind,
                    source.platform,
                    source.market,
                    source.keep_days
                ],
            )?;
            ids.insert(source.id.clone(), id);
        }
        Ok(Self { show, sources: ids })
    }

    /// Writes a step.
    pub fn step(&self, db: &Connection, heard: &Heard) -> rusqlite::Result<()> {
        let Heard { at, told } = heard;
        let Some(source) = self.sources.get(&told.source).copied() else { return Ok(()) };
        let seq = told.number as i64;
        match &told.update {
            Update::Message(message) => self.message(db, seq, source, message, told),
            Update::Deleted(id) | Update::Moderated { message: id, to: Ours::Delete } => {
                self.deleted(db, seq, source, id, *at)
            }
            // Who is shown what is not what was written.
            Update::Moderated { .. } => Ok(()),
            Update::UserCleared { id, name, removal } => {
                self.user_cleared(db, seq, source, (id.as_ref(), name.as_ref()), *removal, *at)
            }
            Update::AllCleared => self.all_cleared(db, seq, source, *at),
            Update::Hole { from, until } => self.hole(db, seq, source, *from, *until, None),
        }
    }

    /// Writes that lines came, but are not stored.
    pub fn unstored(
        &self,
        db: &Connection,
        source: &SourceId,
        lines: &Unstored,
    ) -> rusqlite::Result<()> {
        let Some(source) = self.sources.get(source).copied() else { return Ok(()) };
        let seq = lines.seq as i64;
        self.hole(db, seq, source, lines.since, lines.until, Some(lines.lines as i64))
    }

    fn message(
        &self,
        db: &Connection,
        seq: i64,
        source: i64,
        message: &Message,
        told: &Told,
    ) -> rusqlite::Result<()> {
        let (at, at_ns) = split(message.at);
        let author = &message.author;
        let person = person(db, message)?;
        let mut gone: Gone = None;
        if message.origin.is_none() {
            gone = self.replace_copy(db, &message.id)?;
        }
        if gone.is_none() && (message.backlog || message.late) {
            gone = self.cleared_before(db, source, author, at)?;
        }
        let is_here = gone.is_none();
        let (kind, amount) = kind_of(&message.kind);
        let finds = (is_here && !told.finds.is_empty())
            .then(|| serde_json::to_string(&told.finds).unwrap_or_default());
        let badges = (!author.badges.is_empty())
            .then(|| serde_json::to_string(&author.badges).unwrap_or_default());
        let flag = |is: bool, flag: i64| if is { flag } else { 0 };
        let flags =
            flag(message.backlog, BACKLOG) | flag(message.own, OWN) | flag(message.late, LATE);
        let origin = message.origin.as_ref();
        // A deletion that came first holds the place, and the text is never written.
        db.prepare_cached(
            "INSERT INTO chat_message (show, seq, source, message, at, at_ns, person, text, kind, paid_micros, currency,
               channel, language, lang, badges, finds, reply_to, shared_channel, shared_id, flags, removed, removed_at)
             VALUES (:show, :seq, :source, :message, :at, :at_ns, :person, :text, :kind, :micros, :currency,
               :channel, :language, :lang, :badges, :finds, :reply_to, :shared_channel, :shared_id, :flags, :removed,
               :removed_at)
             ON CONFLICT (show, source, message) DO UPDATE SET at = excluded.at, at_ns = excluded.at_ns,
               person = excluded.person, kind = excluded.kind, channel = excluded.channel, badges = excluded.badges,
               flags = excluded.flags WHERE person IS NULL
             ON CONFLICT DO NOTHING",
        )?
        .execute(named_params! {
            ":show": self.show,
            ":seq": seq,
            ":source": source,
            ":message": message.id.as_str(),
            ":at": at,
            ":at_ns": at_ns,
            ":person": person,
            ":text": is_here.then(|| message.text.as_str()),
            ":kind": kind,
            ":micros": amount.map(|amount| amount.micros as i64),
            ":currency": amount.map(|amount| amount.currency.as_str()),
            ":channel": message.channel.as_ref().map(Text::as_str),
            ":language": told.language.filter(|_| is_here).map(Language::code),
            ":lang": message.lang.as_ref().filter(|_| is_here).map(Text::as_str),
            ":badges": badges,
            ":finds": finds,
            ":reply_to": message.reply.as_ref().map(|reply| reply.to.as_str()),
            ":shared_channel": origin.map(|origin| origin.channel.as_str()),
            ":shared_id": origin.map(|origin| origin.id.as_str()),
            ":flags": flags,
            ":removed": gone.as_ref().map(|(how, _)| how.as_str()),
            ":removed_at": gone.as_ref().map(|(_, at)| *at),
        })?;
        Ok(())
    }

    /// The original of a copy (shared chat) takes the copy's place; whether the copy was removed.
    fn replace_copy(&self, db: &Connection, id: &MessageId) -> rusqlite::Result<Gone> {
        let found: Option<(Option<String>, Option<i64>)> = db
            .prepare_cached(
                "SELECT removed, removed_at FROM chat_message INDEXED BY chat_message_shared
                 WHERE show = ? AND shared_id = ? LIMIT 1",
            )?
            .query_row(params![self.show, id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((removed, at)) = found else { return Ok(None) };
        db.prepare_cached(
            "DELETE FROM chat_message INDEXED BY chat_message_shared WHERE show = ? AND shared_id = ?",
        )?
            .execute(params![self.show, id.as_str()])?;
        Ok(removed.zip(at))
    }

    /// Whether the author or the chat was cleared after this was written.
    fn cleared_before(
        &self,
        db: &Connection,
        source: i64,
        author: &Author,
        at: i64,
    ) -> rusqlite::Result<Gone> {
        let account = author.id.as_ref().map_or("", |id| id.as_str());
        db.prepare_cached(
            "SELECT how, at FROM chat_cleared WHERE show = :show AND source = :source AND at >= :at
               AND (how = 'all-cleared' OR (:account <> '' AND account = :account)
                 OR (:account = '' AND called <> '' AND called = :called))
             ORDER BY seq LIMIT 1",
        )?
        .query_row(
            named_params! {
                ":show": self.show,
                ":source": source,
                ":at": at,
                ":account": account,
                ":called": login(author),
            },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
    }

    fn deleted(
        &self,
        db: &Connection,
        seq: i64,
        source: i64,
        id: &MessageId,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        let (at, how) = (split(at).0, word(RemovedHow::Deleted));
        let id = id.as_str();
        let known = removing(
            db,
            "UPDATE chat_message SET {EMPTY}, removed = ?1, removed_at = ?2
             WHERE show = ?3 AND source = ?4 AND message = ?5 AND removed IS NULL",
        )?
        .execute(params![how, at, self.show, source, id])?;
        // Its copies in other channels.
        removing(
            db,
            "UPDATE chat_message INDEXED BY chat_message_shared SET {EMPTY}, removed = ?1, removed_at = ?2
             WHERE show = ?3 AND shared_id = ?4 AND removed IS NULL",
        )?
        .execute(params![how, at, self.show, id])?;
        if known == 0 {
            // It may come later; then its text is not stored.
            db.prepare_cached(
                "INSERT OR IGNORE INTO chat_message (show, seq, source, message, at, removed, removed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5)",
            )?
            .execute(params![self.show, seq, source, id, at, how])?;
        }
        Ok(())
    }

    fn user_cleared(
        &self,
        db: &Connection,
        seq: i64,
        source: i64,
        (id, name): (Option<&UserId>, Option<&Text>),
        removal: Removal,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        let account = id.map_or("", UserId::as_str);
        let name = name.map_or("", Text::as_str);
        let called = name.to_lowercase();
        let how = word(how_of(removal));
        let at = split(at).0;
        // The name decides only where the identifier of either side is unknown.
        removing(
            db,
            "UPDATE chat_message INDEXED BY chat_message_person SET {EMPTY}, removed = :how, removed_at = :at
             WHERE person IN (
                 SELECT id FROM chat_person WHERE :account <> '' AND account = :account
                 UNION
                 SELECT id FROM chat_person WHERE :called <> '' AND called = :called
                   AND (:account = '' OR account = ''))
               AND show = :show AND source = :source AND removed IS NULL",
        )?
        .execute(named_params! {
            ":how": how,
            ":at": at,
            ":account": account,
            ":called": called,
            ":show": self.show,
            ":source": source,
        })?;
        let seconds = match removal {
            Removal::TimedOut(time) => Some(time.as_secs() as i64),
            Removal::Cleared | Removal::Banned => None,
        };
        let called = called.as_str();
        self.cleared(db, seq, Cleared { source, at, how, account, called, name, seconds })
    }

    fn all_cleared(
        &self,
        db: &Connection,
        seq: i64,
        source: i64,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        let (at, how) = (split(at).0, word(RemovedHow::AllCleared));
        removing(
            db,
            "UPDATE chat_message SET {EMPTY}, removed = ?, removed_at = ?
             WHERE show = ? AND source = ? AND removed IS NULL",
        )?
        .execute(params![how, at, self.show, source])?;
        let whole = Cleared { source, at, how, account: "", called: "", name: "", seconds: None };
        self.cleared(db, seq, whole)
    }

    fn cleared(&self, db: &Connection, seq: i64, row: Cleared<'_>) -> rusqlite::Result<()> {
        let Cleared { source, at, how, account, called, name, seconds } = row;
        db.prepare_cached(
            "INSERT OR IGNORE INTO chat_cleared (show, seq, source, at, how, account, called, name, timeout_s)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![self.show, seq, source, at, how, account, called, name, seconds])?;
        Ok(())
    }

    fn hole(
        &self,
        db: &Connection,
        seq: i64,
        source: i64,
        since: Timestamp,
        until: Timestamp,
        unstored: Option<i64>,
    ) -> rusqlite::Result<()> {
        db.prepare_cached(
            "INSERT OR IGNORE INTO chat_hole (show, seq, source, since, until, unstored) VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![self.show, seq, source, split(since).0, split(until).0, unstored])?;
        Ok(())
    }
}

/// A statement whose `{EMPTY}` stands for the columns that a removal empties.
fn removing<'a>(db: &'a Connection, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
    db.prepare_cached(&sql.replace("{EMPTY}", EMPTY))
}

/// The number of an author's appearance. Looked up each time: an erasure may have taken the row away meanwhile.
fn person(db: &Connection, message: &Message) -> rusqlite::Result<i64> {
    let author = &message.author;
    let called = login(author);
    let row = params![
        author.id.as_ref().map_or("", |id| id.as_str()),
        called,
        author.name.as_str(),
        author.login.as_ref().map_or("", Text::as_str),
        message.platform.as_str(),
    ];
    let known = db
        .prepare_cached(
            "SELECT id FROM chat_person WHERE account = ? AND called = ? AND name = ? AND login = ? AND platform = ?",
        )?
        .query_row(row, |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    db.prepare_cached(
        "INSERT INTO chat_person (account, called, name, login, platform) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(row)?;
    Ok(db.last_insert_rowid())
}

/// The word of a kind; none for an ordinary line.
const fn kind_of(kind: &Kind) -> (Option<&'static str>, Option<&Amount>) {
    match kind {
        Kind::Text => (None, None),
        Kind::Action => (Some("action"), None),
        Kind::Paid { amount } => (Some("paid"), Some(amount)),
        Kind::Membership => (Some("membership"), None),
        Kind::Gift => (Some("gift"), None),
        Kind::Notice => (Some("notice"), None),
    }
}
