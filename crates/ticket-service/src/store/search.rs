//! Full text in the database's own engine: one document per ticket, FTS5 on SQLite, `tsvector` on PostgreSQL.
//!
//! Both arms answer the same question: which tickets hold all of these words (the last one may be a beginning), newest
//! first. The contract test in `tests/search.rs` runs on both.

use db_kit::on_both;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::domain::{Reach, TicketNumber};
use crate::error::TicketError;
use crate::store::Scope;

/// A document grows no further than this; the beginning of a very long ticket is found, its end is not.
const BODY_CHARS_MAX: usize = 200_000;
/// A question has at most so many words; the rest is ignored.
const WORDS_MAX: usize = 12;

/// What somebody looks for: words in lower case, without any of the engines' own signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// The words of a text; `None` if it has none.
    pub fn of(text: &str) -> Option<Self> {
        let words: Vec<String> = text
            .split(|char: char| !char.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .take(WORDS_MAX)
            .collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// In the syntax of FTS5: all words, the last one as a beginning.
    fn for_sqlite(&self) -> String {
        let quoted: Vec<String> = self.0.iter().map(|word| format!("\"{word}\"")).collect();
        format!("{}*", quoted.join(" AND "))
    }

    /// In the syntax of `to_tsquery`: all words, the last one as a beginning.
    fn for_postgres(&self) -> String {
        format!("{}:*", self.0.join(" & "))
    }
}

/// A found ticket and the place where it was found.
#[derive(Clone, Debug, QueryableByName)]
pub struct Hit {
    /// The ticket's number.
    #[diesel(sql_type = BigInt)]
    pub number: i64,
    /// A passage of plain text, found words between U+0001 and U+0002.
    #[diesel(sql_type = Text)]
    pub snippet: String,
}

/// Makes the document of a new ticket.
pub(crate) fn insert(
    scope: &mut Scope<'_>,
    ticket: TicketNumber,
    subject: &str,
    people: &str,
    body: &str,
) -> Result<(), TicketError> {
    let body = shortened(body);
    on_both!(
        scope.conn,
        sqlite
            | conn
            | diesel::sql_query(
                "INSERT INTO ticket_search (rowid, subject, people, body) VALUES (?, ?, ?, ?)"
            )
            .bind::<BigInt, _>(ticket.0)
            .bind::<Text, _>(subject)
            .bind::<Text, _>(people)
            .bind::<Text, _>(&body)
            .execute(conn),
        postgres
            | conn
            | diesel::sql_query(
                "INSERT INTO ticket_search (number, subject, people, body) VALUES ($1, $2, $3, $4)"
            )
            .bind::<BigInt, _>(ticket.0)
            .bind::<Text, _>(subject)
            .bind::<Text, _>(people)
            .bind::<Text, _>(&body)
            .execute(conn)
    )?;
    Ok(())
}

/// Adds the text of a new message to the ticket's document.
pub(crate) fn append(scope: &mut Scope<'_>, ticket: TicketNumber, text: &str) -> Result<(), TicketError> {
    let text = shortened(text);
    on_both!(
        scope.conn,
        sqlite
            | conn
            | diesel::sql_query(
                "UPDATE ticket_search SET body = substr(body || char(10) || ?, 1, 200000) WHERE rowid = ?"
            )
            .bind::<Text, _>(&text)
            .bind::<BigInt, _>(ticket.0)
            .execute(conn),
        postgres
            | conn
            | diesel::sql_query(
                "UPDATE ticket_search SET body = left(body || chr(10) || $1, 200000) WHERE number = $2"
            )
            .bind::<Text, _>(&text)
            .bind::<BigInt, _>(ticket.0)
            .execute(conn)
    )?;
    Ok(())
}

/// Puts a changed subject into the ticket's document.
pub(crate) fn set_subject(scope: &mut Scope<'_>, number: i64, subject: &str) -> Result<(), TicketError> {
    on_both!(
        scope.conn,
        sqlite
            | conn
            | diesel::sql_query("UPDATE ticket_search SET subject = ? WHERE rowid = ?")
                .bind::<Text, _>(subject)
                .bind::<BigInt, _>(number)
                .execute(conn),
        postgres
            | conn
            | diesel::sql_query("UPDATE ticket_search SET subject = $1 WHERE number = $2")
                .bind::<Text, _>(subject)
                .bind::<BigInt, _>(number)
                .execute(conn)
    )?;
    Ok(())
}

/// Tickets within the actor's reach that hold all words, newest first, with a number below `before`.
pub fn hits(
    scope: &mut Scope<'_>,
    words: &Words,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Hit>, TicketError> {
    // The reach stands inside the query: what the actor may not see is neither found nor counted towards the limit.
    let (line, operator_id) = match scope.actor.reach() {
        Reach::All => (0, String::new()),
        Reach::Line { line, operator_id } => (i64::from(line.number()), operator_id.unwrap_or_default()),
        Reach::Nothing => return Ok(vec![]),
    };
    let before = before.unwrap_or(i64::MAX);
    let found = on_both!(
        scope.conn,
        sqlite
            | conn
            | diesel::sql_query(SQLITE_HITS)
                .bind::<Text, _>(words.for_sqlite())
                .bind::<BigInt, _>(before)
                .bind::<BigInt, _>(line)
                .bind::<BigInt, _>(line)
                .bind::<Text, _>(operator_id)
                .bind::<BigInt, _>(limit)
                .load::<Hit>(conn),
        postgres
            | conn
            | diesel::sql_query(POSTGRES_HITS)
                .bind::<Text, _>(words.for_postgres())
                .bind::<BigInt, _>(before)
                .bind::<BigInt, _>(line)
                .bind::<Text, _>(operator_id)
                .bind::<BigInt, _>(limit)
                .load::<Hit>(conn)
    )?;
    Ok(found)
}

const SQLITE_HITS: &str = "SELECT ticket_search.rowid AS number, \
     snippet(ticket_search, -1, char(1), char(2), '…', 16) AS snippet \
     FROM ticket_search CROSS JOIN tickets ON tickets.number = ticket_search.rowid \
     WHERE ticket_search MATCH ? AND ticket_search.rowid < ? \
     AND (? = 0 OR tickets.line = ? OR tickets.assignee_id = ?) \
     ORDER BY ticket_search.rowid DESC LIMIT ?";

const POSTGRES_HITS: &str = "WITH found AS ( \
     SELECT ticket_search.number, ticket_search.subject, ticket_search.people, ticket_search.body \
     FROM ticket_search JOIN tickets ON tickets.number = ticket_search.number \
     WHERE ticket_search.document @@ to_tsquery('simple', $1) AND ticket_search.number < $2 \
     AND ($3 = 0 OR tickets.line = $3 OR tickets.assignee_id = $4) \
     ORDER BY ticket_search.number DESC LIMIT $5) \
     SELECT number, ts_headline('simple', subject || ' — ' || people || ' — ' || left(body, 20000), \
     to_tsquery('simple', $1), 'StartSel=' || chr(1) || ', StopSel=' || chr(2) || ', MaxWords=18, MinWords=8') AS snippet \
     FROM found ORDER BY number DESC";

fn shortened(text: &str) -> String {
    text.chars().take(BODY_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_the_engines_own_syntax_are_only_separators() {
        let words = Words::of("  \"Coupling\" OR (stuck* NOT unit:16) & !x ").unwrap();
        assert_eq!(
            words.for_sqlite(),
            r#""coupling" AND "or" AND "stuck" AND "not" AND "unit" AND "16" AND "x"*"#
        );
        assert_eq!(words.for_postgres(), "coupling & or & stuck & not & unit & 16 & x:*");
    }

    #[test]
    fn a_text_without_words_asks_nothing() {
        assert_eq!(Words::of(" *** \"' "), None);
    }
}
