//! The chat of a show, read back step by step, in the order in which it came.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::{removed_how, write::BACKLOG, write::LATE, write::OWN};
use crate::{
    base::SourceId,
    chat::{
        Amount, Author, Kind, Message, MessageId, Origin, Platform, Removal, Reply, Text, Update,
        UserId,
        language::Language,
        told::{RemovedHow, RemovedRow, Told},
    },
    store::{Shows, StoreError},
};

/// Which lines are read.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this source only.
    pub source: Option<String>,
    /// Of these people only (their rows in the store).
    pub people: Option<Vec<i64>>,
    /// Orders only.
    pub orders: bool,
}

impl Filter {
    /// Whether single lines are looked for, so that holes and removals of others are left out.
    fn is_of_people(&self) -> bool {
        self.people.is_some()
    }
}

/// A step of a stored chat.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// As it was told; the text is empty where it was removed, emotes and quoted texts are not stored.
    pub told: Told,
    /// When what has no time of its own was heard.
    pub heard: Timestamp,
    /// How a message was removed.
    pub removed: Option<RemovedRow>,
    /// A hole of the store: so many lines came, but could not be written.
    pub unstored: Option<u64>,
}

const MESSAGES: &str = "
SELECT m.seq, s.name, m.message, m.at, m.at_ns, m.text, m.kind, m.paid_micros, m.currency, m.channel, m.language,
  m.lang, m.badges, m.finds, m.reply_to, m.shared_channel, m.shared_id, m.flags, m.removed, m.removed_at,
  p.platform, p.account, p.name AS author, p.login
FROM chat_message m JOIN chat_source s ON s.show = m.show AND s.id = m.source
LEFT JOIN chat_person p ON p.id = m.person WHERE m.show = ?1";

impl Shows {
    /// The names of a show's sources whose lines were stored.
    pub fn chat_sources(&self, show: i64) -> Result<Vec<String>, StoreError> {
        let names = || -> rusqlite::Result<Vec<String>> {
            self.db
                .prepare("SELECT name FROM chat_source WHERE show = ? ORDER BY id")?
                .query_map([show], |row| row.get(0))?
                .collect()
        };
        self.or(names())
    }

    /// Hands out the steps of a show's chat in order, until `each` says false. Lines whose days are over are not among
    /// them ([`Self::expire_chats`]).
    pub fn chat(
        &self,
        show: i64,
        filter: &Filter,
        each: impl FnMut(Entry) -> bool,
    ) -> Result<(), StoreError> {
        // Read in one go: a show that runs does not change on the way.
        let read = self.db.unchecked_transaction().and_then(|all| {
            self.entries(show, filter, each)?;
            all.finish()
        });
        self.or(read)
    }

    /// Removes lines whose days are over, also when no show runs that would. `now` is the present time.
    pub fn expire_chats(&self, now: Timestamp) -> Result<(), StoreError> {
        let expired = || -> rusqlite::Result<()> {
            while super::expire::step(&self.db, now, 0)? {}
            Ok(())
        };
        self.or(expired())
    }

    fn entries(
        &self,
        show: i64,
        filter: &Filter,
        mut each: impl FnMut(Entry) -> bool,
    ) -> rusqlite::Result<()> {
        let others = if filter.is_of_people() { Vec::new() } else { self.others(show, filter)? };
        let mut others = others.into_iter().peekable();
        let mut sql = MESSAGES.to_owned();
        if let Some(people) = &filter.people {
            let people: Vec<String> = people.iter().map(ToString::to_string).collect();
            sql = format!("{sql} AND m.person IN ({})", people.join(","));
        }
        sql.push_str(" AND (?2 IS NULL OR s.name = ?2)");
        if filter.orders {
            sql.push_str(" AND json_extract(m.finds, '$.order') IS NOT NULL");
        }
        sql.push_str(" ORDER BY m.seq");
        let mut statement = self.db.prepare(&sql)?;
        let mut rows = statement.query(params![show, filter.source])?;
        while let Some(row) = rows.next()? {
            let Some(entry) = message(row)? else { continue };
            while let Some(other) = others.next_if(|other| other.told.number < entry.told.number) {
                if !each(other) {
                    return Ok(());
                }
            }
            if !each(entry) {
                return Ok(());
            }
        }
        for other in others {
            if !each(other) {
                break;
            }
        }
        Ok(())
    }

    /// Holes and removals of many lines, in order. Few: a show has some thousands at most.
    fn others(&self, show: i64, filter: &Filter) -> rusqlite::Result<Vec<Entry>> {
        let sources = "JOIN chat_source s ON s.show = o.show AND s.id = o.source
             WHERE o.show = ?1 AND (?2 IS NULL OR s.name = ?2)";
        let with = params![show, filter.source];
        let mut all: Vec<Option<Entry>> = self
            .db
            .prepare(&format!(
                "SELECT o.seq, s.name, o.since, o.until, o.unstored FROM chat_hole o {sources}"
            ))?
            .query_map(with, |row| {
                let update = Update::Hole { from: ms(row.get(2)?), until: ms(row.get(3)?) };
                let unstored = row.get::<_, Option<i64>>(4)?.map(|lines| lines as u64);
                Ok(other(row, update, ms(row.get(3)?))?.map(|entry| Entry { unstored, ..entry }))
            })?
            .collect::<rusqlite::Result<_>>()?;
        if !filter.orders {
            let cleared: Vec<Option<Entry>> = self
                .db
                .prepare(&format!(
                    "SELECT o.seq, s.name, o.at, o.how, o.account, o.name, o.timeout_s FROM chat_cleared o {sources}"
                ))?
                .query_map(with, |row| other(row, cleared(row)?, ms(row.get(2)?)))?
                .collect::<rusqlite::Result<_>>()?;
            all.extend(cleared);
        }
        let mut all: Vec<Entry> = all.into_iter().flatten().collect();
        all.sort_by_key(|entry| entry.told.number);
        Ok(all)
    }
}

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// None where the source's name is none (a database that somebody changed).
fn other(row: &Row<'_>, update: Update, heard: Timestamp) -> rusqlite::Result<Option<Entry>> {
    Ok(told(row, update)?.map(|told| Entry { told, heard, removed: None, unstored: None }))
}

fn told(row: &Row<'_>, update: Update) -> rusqlite::Result<Option<Told>> {
    let number = row.get::<_, i64>(0)? as u64;
    let source: Option<SourceId> = row.get::<_, String>(1)?.parse().ok();
    Ok(source.map(|source| Told {
        number,
        source,
        update,
        language: None,
        finds: crate::chat::finders::Finds::default(),
    }))
}

fn cleared(row: &Row<'_>) -> rusqlite::Result<Update> {
    let (how, account, name): (String, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let seconds = row.get::<_, Option<i64>>(6)?.unwrap_or_default() as u64;
    let removal = match removed_how(&how) {
        RemovedHow::AllCleared => return Ok(Update::AllCleared),
        RemovedHow::TimedOut => Removal::TimedOut(std::time::Duration::from_secs(seconds)),
        RemovedHow::Banned => Removal::Banned,
        RemovedHow::Cleared | RemovedHow::Deleted => Removal::Cleared,
    };
    Ok(Update::UserCleared {
        id: some(account).map(|id| UserId::new(&id)),
        name: some(name).map(|name| Text::name(&name)),
        removal,
    })
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn message(row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let id = MessageId::new(&row.get::<_, String>("message")?);
    let removed = match row.get::<_, Option<String>>("removed")? {
        Some(how) => Some(RemovedRow { at: ms(row.get("removed_at")?), how: removed_how(&how) }),
        None => None,
    };
    let (at, at_ns): (i64, i64) = (row.get("at")?, row.get("at_ns")?);
    let at = Timestamp::from_nanosecond(i128::from(at) * 1_000_000 + i128::from(at_ns))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let Some(platform) = row.get::<_, Option<String>>("platform")? else {
        // Its message never came.
        return other(row, Update::Deleted(id), at);
    };
    let text = |name: &str| row.get::<_, Option<String>>(name);
    let short = |name: &str| -> rusqlite::Result<Option<Text>> {
        Ok(text(name)?.map(|text| Text::name(&text)))
    };
    let list = |name: &str| -> rusqlite::Result<String> {
        Ok(text(name)?.unwrap_or_else(|| "null".to_owned()))
    };
    let Some(base) = told(row, Update::AllCleared)? else { return Ok(None) };
    let author = Author {
        id: some(row.get("account")?).map(|id| UserId::new(&id)),
        name: Text::name(&row.get::<_, String>("author")?),
        login: some(row.get("login")?).map(|login| Text::name(&login)),
        badges: serde_json::from_str(&list("badges")?).unwrap_or_default(),
    };
    let flags: i64 = row.get("flags")?;
    let origin = short("shared_channel")?.zip(text("shared_id")?);
    let message = Message {
        channel: short("channel")?,
        kind: kind(row)?,
        reply: text("reply_to")?.map(|to| Reply { to: MessageId::new(&to), text: None }),
        origin: origin.map(|(channel, id)| Origin { channel, id: MessageId::new(&id) }),
        lang: short("lang")?,
        backlog: flags & BACKLOG != 0,
        own: flags & OWN != 0,
        late: flags & LATE != 0,
        ..Message::new(
            id,
            base.source.clone(),
            Platform::named(&platform),
            at,
            author,
            Text::new(&text("text")?.unwrap_or_default()),
        )
    };
    let language = text("language")?;
    let language =
        Language::ALL.into_iter().find(|known| language.as_deref() == Some(known.code()));
    let finds = serde_json::from_str(&list("finds")?).unwrap_or_default();
    let told = Told { update: Update::Message(Box::new(message)), language, finds, ..base };
    Ok(Some(Entry { told, heard: at, removed, unstored: None }))
}

fn kind(row: &Row<'_>) -> rusqlite::Result<Kind> {
    let kind: Option<String> = row.get("kind")?;
    Ok(match kind.as_deref() {
        Some("action") => Kind::Action,
        Some("paid") => Kind::Paid {
            amount: Amount {
                micros: row.get::<_, Option<i64>>("paid_micros")?.unwrap_or_default() as u64,
                currency: Text::name(
                    &row.get::<_, Option<String>>("currency")?.unwrap_or_default(),
                ),
            },
        },
        Some("membership") => Kind::Membership,
        Some("gift") => Kind::Gift,
        Some("notice") => Kind::Notice,
        _ => Kind::Text,
    })
}
