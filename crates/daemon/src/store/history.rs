//! Bans of the past and the present, page by page, the last begun first.

use rusqlite::params_from_iter;
use rusqlite::types::Value;
use vauban_engine::Prefix;

use super::Store;
use super::errors::StoreError;
use super::remaining::Wall;
use super::rows::{self, Octets, State, StoredBan};
use super::words::Ending;

/// Which bans are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Of these subjects only; of all if there are none.
    pub subjects: Vec<Prefix>,
    /// Begun at this time or later.
    pub since: Option<Wall>,
    /// Only those in force.
    pub in_force: bool,
    /// Behind this place, as the page before gives it.
    pub after: Option<Place>,
    /// Bans at most.
    pub limit: usize,
}

/// A place in the order: when the last ban before it began, and its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When.
    pub start: Wall,
    /// Which row.
    pub row: i64,
}

/// A ban with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The ban.
    pub ban: StoredBan,
    /// When and how it ended; `None` while it is in force.
    pub ended: Option<(Wall, Ending)>,
}

/// Some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The last begun first.
    pub entries: Vec<Entry>,
    /// Where it goes on; `None` at the end.
    pub next: Option<Place>,
}

impl Store {
    /// A page of what was asked for. Rows that can't be read are left out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.read_page(query).map_err(|error| self.failed(&error))
    }

    fn read_page(&self, query: &Query) -> rusqlite::Result<Page> {
        let mut conditions = vec!["TRUE".to_owned()];
        let mut values: Vec<Value> = Vec::new();
        if !query.subjects.is_empty() {
            let any: Vec<&str> =
                query.subjects.iter().map(|_| "(subject = ? AND length = ?)").collect();
            conditions.push(format!("({})", any.join(" OR ")));
            for subject in &query.subjects {
                values.push(Octets::of(subject.addr()).bytes().to_vec().into());
                values.push(i64::from(subject.len()).into());
            }
        }
        if let Some(since) = query.since {
            conditions.push("starts >= ?".into());
            values.push(since.0.into());
        }
        if query.in_force {
            conditions.push("ended_at IS NULL".into());
        }
        if let Some(Place { start, row }) = query.after {
            conditions.push("(starts, id) < (?, ?)".into());
            values.extend([start.0.into(), row.into()]);
        }
        // One more, to know whether there is one.
        let limit = query.limit.saturating_add(1);
        values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let sql = format!(
            "SELECT {} FROM ban INDEXED BY ban_started WHERE {} \
             ORDER BY starts DESC, id DESC LIMIT ?",
            rows::BAN,
            conditions.join(" AND ")
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut page = Page::default();
        let (mut read, mut last) = (0, None);
        while let Some(row) = rows.next()? {
            if read == query.limit {
                page.next = last;
                break;
            }
            read += 1;
            last = Some(Place { start: Wall(row.get("starts")?), row: row.get("id")? });
            let row = rows::ban(row);
            let ended = match row.state {
                State::InForce => None,
                State::Ended(at, how) => Some((at, how)),
                State::Unclear => continue,
            };
            let Some(mut ban) = row.ban else { continue };
            let (evidence, unreadable) = rows::evidence(&self.db, row.id)?;
            ban.evidence = evidence;
            ban.not_kept = ban.not_kept.saturating_add(unreadable);
            page.entries.push(Entry { ban, ended });
        }
        Ok(page)
    }
}
