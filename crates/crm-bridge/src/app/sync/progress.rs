//! How far a feed is, and from when on it is asked the next time. Times of change are told by the CRM's clock, so that
//! clock decides: what it said in the records, and in the `Date` of its answers.

use service_kit::Timestamp;

use super::changes::{SHIFTING, TOO_MANY};
use crate::connector::Found;
use crate::connector::ask::PageMark;
use crate::connector::trouble::Trouble;
use crate::store::sync::{Feed, Phase};

/// A CRM that does not tell its time may be this much behind ours; one that tells a time further ahead is not believed.
pub(super) const CLOCK_DOUBT_MS: i64 = 24 * 60 * 60 * 1_000;
/// A feed that can't go on from where it was left for so long begins again: the CRM has forgotten that place.
const BEGIN_AGAIN_MS: i64 = 15 * 60 * 1_000;

/// In the place of the plan of a feed without fields: its mark is one for the next time.
const NEXT_TIME: &str = "next time";

/// Where a feed was left.
pub(super) fn mark_of(feed: &Feed) -> Option<PageMark> {
    feed.mark.as_deref().and_then(|mark| PageMark::from_text(mark).ok())
}

/// By how much the CRM's clock is ahead of ours, if its answer tells the time. Believing a time too early costs some
/// records that are read again; one too late would cost changes.
pub(super) fn ahead_ms(found: &Found, now: Timestamp) -> Option<i64> {
    let ahead = found.crm_time?.since_ms(now);
    (ahead <= CLOCK_DOUBT_MS).then_some(ahead)
}

/// From when on changes are followed if nothing before that matters.
pub(super) fn beginning(found: &Found, now: Timestamp) -> Timestamp {
    now.plus_ms(ahead_ms(found, now).unwrap_or(-CLOCK_DOUBT_MS))
}

/// Whether the mark is one that the CRM handed out for the next time, and no run was interrupted.
pub(super) fn is_for_next_time(feed: &Feed) -> bool {
    feed.mark.is_some()
        && feed.run_started_at.is_none()
        && feed.phase == Phase::Delta
        && feed.plan == NEXT_TIME
}

/// The feed at its end, with the mark that the CRM handed out for the next time.
pub(super) fn until_next_time(feed: &mut Feed, found: &Found) {
    feed.mark = found.next_time.as_ref().map(PageMark::to_text);
    feed.plan = found.next_time.as_ref().map_or_else(String::new, |_| NEXT_TIME.to_owned());
}

/// A run begins, or goes on where it was interrupted.
pub(super) fn begun(feed: Feed, now: Timestamp) -> Feed {
    match feed.mark {
        Some(_) if is_for_next_time(&feed) => {
            Feed { run_started_at: Some(now), records: 0, newest: None, ..feed }
        }
        Some(_) => Feed { run_started_at: feed.run_started_at.or(Some(now)), ..feed },
        None => Feed { run_started_at: Some(now), records: 0, newest: None, ..feed },
    }
}

/// A page was read: counts it and moves the mark.
pub(super) fn progress(feed: &mut Feed, found: &Found) {
    feed.records = feed.records.saturating_add(i64::try_from(found.records.len()).unwrap_or(0));
    let newest = found.records.iter().filter_map(|record| record.updated_at).max();
    feed.newest = feed.newest.max(newest);
    feed.expected = found.total.and_then(|total| i64::try_from(total).ok()).or(feed.expected);
    feed.mark = found.next.as_ref().map(PageMark::to_text);
    feed.trouble = None;
    feed.trouble_at = None;
}

/// A run has come to its end: all changes up to its beginning are in, though not those of the run itself, which may be on
/// pages that were read before them.
pub(super) fn ended(feed: Feed, last: &Found, now: Timestamp) -> Feed {
    let began = feed.run_started_at.unwrap_or(now);
    let ahead = ahead_ms(last, now);
    let reached = match feed.newest {
        Some(newest) => Some(newest.min(began.plus_ms(ahead.unwrap_or(0)))),
        None if feed.records == 0 => None,
        // Records without times.
        None => Some(began.plus_ms(ahead.unwrap_or(-CLOCK_DOUBT_MS))),
    };
    Feed {
        since: feed.since.max(reached),
        newest: None,
        ended_well_at: Some(began),
        run_started_at: None,
        mark: None,
        ..feed
    }
}

/// What is added to the word of a trouble that single records have, while others are read well.
const WITH_RECORDS: &str = ", with single records";

fn is_reason(trouble: &str) -> bool {
    trouble == TOO_MANY || trouble == SHIFTING
}

/// The feed, of which single records could not be read; what it said of such before, and why everybody is compared, stays until
/// it is over.
pub(super) fn passed_over(feed: Feed, last: Option<Trouble>, now: Timestamp) -> Feed {
    let stays = |before: &String| before.ends_with(WITH_RECORDS) || is_reason(before);
    let before = feed.trouble.clone().filter(stays);
    let since = feed.trouble_at.filter(|_| before.is_some());
    match last.filter(|_| !before.as_deref().is_some_and(is_reason)) {
        Some(trouble) => Feed {
            trouble: Some(format!("{}{WITH_RECORDS}", trouble.as_str())),
            trouble_at: since.or(Some(now)),
            ..feed
        },
        None => Feed { trouble: before, trouble_at: since, ..feed },
    }
}

/// The feed at the end of a walk, without the trouble from before it. Where there is a reason for a walk that came up during this
/// one, the next is due at once.
pub(super) fn walked(feed: Feed, now: Timestamp) -> Feed {
    let began = feed.run_started_at;
    let feed = Feed { run_started_at: None, ended_well_at: Some(now), ..feed };
    match &feed.trouble {
        Some(trouble) if is_reason(trouble) && feed.trouble_at > began => {
            Feed { ended_well_at: None, ..feed }
        }
        Some(trouble) if trouble.ends_with(WITH_RECORDS) && feed.trouble_at >= began => feed,
        _ => well_again(feed),
    }
}

/// The feed without a trouble.
pub(super) fn well_again(feed: Feed) -> Feed {
    Feed { trouble: None, trouble_at: None, ..feed }
}

/// The feed after a trouble: it says what and since when. Where the CRM refuses to go on from the mark for long, the feed
/// begins again at its `since`; what comes twice is taken twice and does no harm.
pub(super) fn troubled(feed: &Feed, trouble: Trouble, now: Timestamp) -> Feed {
    let since = feed.trouble_at.unwrap_or(now);
    let about_the_mark = matches!(
        trouble,
        Trouble::Refused
            | Trouble::ErrorInside
            | Trouble::UnexpectedShape
            | Trouble::NextLink
            | Trouble::PagingLoop
            // Another look back, or another profile: the mark belongs to a question that is not asked any more.
            | Trouble::Unaskable
    );
    let again = about_the_mark && feed.mark.is_some() && now.since_ms(since) >= BEGIN_AGAIN_MS;
    Feed {
        mark: feed.mark.clone().filter(|_| !again),
        records: if again { 0 } else { feed.records },
        trouble: Some(trouble.as_str().to_owned()),
        trouble_at: Some(if again { now } else { since }),
        ..feed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_everybody_is_compared_stays_until_the_walk_that_it_asked_for_is_over() {
        let at = Timestamp::from_ms;
        let feed = Feed { run_started_at: Some(at(5)), ..Feed::new(Phase::Delta, "") };
        let because =
            |when| Feed { trouble: Some(TOO_MANY.to_owned()), trouble_at: Some(at(when)), ..feed.clone() };
        let read = passed_over(because(4), Some(Trouble::Credentials), at(6));
        assert_eq!(read.trouble.as_deref(), Some(TOO_MANY));
        let over = walked(read, at(7));
        assert_eq!((over.trouble, over.ended_well_at), (None, Some(at(7))));
        let again = walked(because(6), at(7));
        assert_eq!((again.trouble.as_deref(), again.ended_well_at), (Some(TOO_MANY), None), "due once more");

        let hidden = passed_over(feed, Some(Trouble::Credentials), at(6));
        let hidden = walked(passed_over(hidden, None, at(7)), at(8));
        assert_eq!(hidden.trouble.as_deref(), Some("credentials, with single records"));
        let next = Feed { run_started_at: Some(at(9)), ..hidden };
        assert_eq!(walked(next, at(10)).trouble, None);
    }
}
