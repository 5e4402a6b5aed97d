//! Long lists, shown a page at a time: a page stays light, and is read.

use maud::{Markup, html};

use super::Frame;

/// The rows of a list that a page shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageOfList {
    /// Counted from 1.
    number: usize,
    /// The most rows on a page.
    size: usize,
    /// The rows of the whole list.
    count: usize,
}

impl PageOfList {
    /// The page with the number that is asked for, or the nearest that there is; without one, the first.
    pub fn of(count: usize, size: usize, asked: Option<&str>) -> Self {
        let last = count.div_ceil(size).max(1);
        let asked = asked.and_then(|it| it.parse().ok()).unwrap_or(1);
        Self { number: asked.clamp(1, last), size, count }
    }

    /// The rows of this page.
    pub fn rows<T>(self, all: &[T]) -> &[T] {
        let (first, end) = self.bounds();
        &all[first..end]
    }

    fn bounds(self) -> (usize, usize) {
        let first = (self.number - 1) * self.size;
        (first, self.count.min(first + self.size))
    }
}

/// The address of a page of the list at `path`, within the site.
pub fn address(path: &str, number: Option<&str>) -> String {
    match number {
        // Nothing else of what a form brings belongs into an address.
        Some(number) if is_number(number) => format!("{path}?page={number}"),
        _ => path.to_owned(),
    }
}

fn is_number(text: &str) -> bool {
    (1..=4).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit())
}

/// The links to the pages before and after this one; nothing if it is the only one.
pub(super) fn links<'a>(frame: Frame<'a>, path: &'a str, it: PageOfList) -> Markup {
    let t = frame.text;
    let (first, end) = it.bounds();
    let at = |number: usize| html! { (frame.at(path)) "?page=" (number) };
    let has_previous = it.number > 1;
    html! {
        @if it.size < it.count {
            nav.aside {
                (first + 1)
                @if first + 1 < end { "–" (end) }
                (t.of_all) (it.count)
                br;
                @if has_previous { a rel="prev" href=(at(it.number - 1)) { (t.previous_page) } }
                @if has_previous && end < it.count { " · " }
                @if end < it.count { a rel="next" href=(at(it.number + 1)) { (t.next_page) } }
            }
        }
    }
}

/// The field with which a form leads back to this page of the list.
pub(super) fn field(it: PageOfList) -> Markup {
    html! { @if it.number > 1 { input type="hidden" name="page" value=(it.number); } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_page_that_is_asked_for_or_the_nearest() {
        let all: Vec<_> = (1..=25).collect();
        for (asked, first, last) in [
            (None, 1, 10),
            (Some("1"), 1, 10),
            (Some("2"), 11, 20),
            (Some("3"), 21, 25),
            (Some("4"), 21, 25),
            (Some("999999999999999999999"), 1, 10),
            (Some("0"), 1, 10),
            (Some("-1"), 1, 10),
            (Some(""), 1, 10),
        ] {
            let rows = PageOfList::of(all.len(), 10, asked).rows(&all);
            assert_eq!((rows[0], *rows.last().unwrap()), (first, last), "{asked:?}");
        }
        assert!(PageOfList::of(0, 10, Some("7")).rows(&all[..0]).is_empty());
        assert_eq!(PageOfList::of(10, 10, Some("2")).rows(&all[..10]).len(), 10);
    }

    #[test]
    fn leads_back_to_nothing_but_a_page() {
        assert_eq!(address("/x", Some("12")), "/x?page=12");
        for other in [None, Some(""), Some("1&a=b"), Some("12345"), Some("\r\n"), Some("٣")] {
            assert_eq!(address("/x", other), "/x");
        }
    }
}
