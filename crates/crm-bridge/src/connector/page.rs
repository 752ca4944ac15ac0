//! Where the next page begins, for every kind of paging, and that pages do not lead in a circle.

use reqwest::header::{HeaderMap, LINK};

use super::ask::{Begin, PageMark, Question};
use super::client::{Answered, Errand, pin_link};
use super::profile::paging::PagingKind;
use super::projection::Page;
use super::trouble::Trouble;

/// No question has more pages; a CRM that goes on for ever is stopped here.
const PAGES_MAX: u32 = 1_000_000;

/// Where the next page begins; none on the last one.
///
/// # Errors
/// [`Trouble::NextLink`] for an address that may not be asked, [`Trouble::PagingLoop`] for pages in a circle,
/// [`Trouble::UnexpectedShape`] if there is to be a next page and nothing says where.
pub(super) fn next(
    errand: &Errand<'_>,
    question: &Question,
    page: &Page,
    answered: &Answered,
) -> Result<Option<PageMark>, Trouble> {
    let paging = errand.profile.paging_of(errand.operation);
    let size = question.size(errand.profile, errand.operation);
    let count = u64::try_from(page.records.len()).unwrap_or(u64::MAX);
    let here = match question.mark() {
        Some(mark) => mark.begin(question).ok_or(Trouble::Unaskable)?.clone(),
        None => Begin::first(paging),
    };
    if page.more == Some(false) || !question.is_paged() {
        return Ok(None);
    }
    let size = match here {
        Begin::Page(_, Some(with_size)) => with_size,
        _ => size,
    };
    let goes_on = count > 0 && (count >= u64::from(size) || page.more == Some(true));
    let told = || page.next.clone().filter(|next| !next.is_empty() && next != "-1");
    let link = |text: Option<String>| {
        let pinned = text.map(|text| pin_link(errand, &text, &answered.asked, &answered.base)).transpose()?;
        Ok::<_, Trouble>(pinned.map(|url| Begin::Link(url.to_string())))
    };
    let begin = match (paging.kind, here) {
        (PagingKind::Offset, Begin::Offset(offset)) if goes_on => {
            Some(Begin::Offset(offset.saturating_add(count)))
        }
        (PagingKind::Page, Begin::Page(number, _)) if goes_on => {
            Some(Begin::Page(number.saturating_add(1), Some(size)))
        }
        (PagingKind::Range, Begin::Range(first)) if goes_on || answered.total.is_some() => {
            let next = first.saturating_add(count);
            let more = count > 0 && answered.total.map_or(goes_on, |total| next < total);
            more.then_some(Begin::Range(next))
        }
        (PagingKind::Keyset, _) if goes_on => {
            let last = page.records.iter().rev().find_map(|record| record.id.clone());
            last.map(|id| Begin::LastId(Some(id)))
        }
        (PagingKind::Cursor, _) => told().map(Begin::Cursor),
        (PagingKind::NextLink, _) => link(told())?,
        (PagingKind::LinkHeader, _) => link(answered.link.clone())?,
        _ => None,
    };
    let Some(begin) = begin else {
        // To end here would pass for the end of the list.
        return if page.more == Some(true) { Err(Trouble::UnexpectedShape) } else { Ok(None) };
    };
    let mark = PageMark::next(question, begin, count).ok_or(Trouble::PagingLoop)?;
    if mark.pages > PAGES_MAX { Err(Trouble::PagingLoop) } else { Ok(Some(mark)) }
}

/// Where the changes after this list begin, if the CRM hands out a mark for that; only on the last page.
///
/// # Errors
/// [`Trouble::NextLink`] for an address that may not be asked.
pub(super) fn for_next_time(
    errand: &Errand<'_>,
    question: &Question,
    page: &Page,
    answered: &Answered,
) -> Result<Option<PageMark>, Trouble> {
    let Some(told) = page.delta.clone().filter(|told| !told.is_empty()) else { return Ok(None) };
    let begin = match errand.profile.paging_of(errand.operation).kind {
        PagingKind::NextLink => {
            Begin::Link(pin_link(errand, &told, &answered.asked, &answered.base)?.to_string())
        }
        _ => Begin::Cursor(told),
    };
    Ok(Some(PageMark::for_next_time(question, begin)))
}

/// The target of `rel="next"` in `Link` headers (RFC 8288).
pub(super) fn link_header(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(links).find(|(_, is_next)| *is_next).map(|(target, _)| target.to_owned())
}

/// The targets in one header, each with whether it is the next page.
fn links(text: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, parameters)) = after.split_once('>') else { break };
        // The parameters end where the next target begins.
        let (own, next) =
            parameters.split_once(",<").or_else(|| parameters.split_once(", <")).unwrap_or((parameters, ""));
        let is_next = own.split(';').any(|parameter| {
            let (name, value) = parameter.trim().split_once('=').unwrap_or_default();
            let words = value.trim().trim_end_matches(',').trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && words.split(' ').any(|word| word.eq_ignore_ascii_case("next"))
        });
        found.push((target.trim(), is_next));
        let skipped = parameters.len() - next.len();
        rest = if next.is_empty() {
            ""
        } else {
            parameters.get(skipped.saturating_sub(1)..).unwrap_or_default()
        };
    }
    found
}

/// The number of records behind the `/` of `Content-Range`, if it is known.
pub(super) fn content_range_total(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get("content-range")?.to_str().ok()?;
    text.rsplit_once('/')?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let next = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, text.parse().unwrap());
            link_header(&headers)
        };
        assert_eq!(next("</a?page=2>; rel=\"next\"").unwrap(), "/a?page=2");
        assert_eq!(next("</a?p=1,2>; rel=\"prev\", </a?p=3>; rel=next").unwrap(), "/a?p=3");
        assert_eq!(next("</a>; rel=\"last\",</b>; title=\"x\"; rel=\"next last\"").unwrap(), "/b");
        assert_eq!(next("</a>; rel=\"prev\""), None);
        assert_eq!(next("nothing"), None);
    }

    #[test]
    fn the_number_of_records_is_read_from_the_range() {
        let total = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("content-range", text.parse().unwrap());
            content_range_total(&headers)
        };
        assert_eq!(total("records 0-19/28"), Some(28));
        assert_eq!(total("records 0-19/*"), None);
    }
}
