//! Moments on pages: in the reader's words, and exactly for programs and for a reader who points at them.

use std::time::Duration;

use maud::{Markup, html};

use super::Frame;
use super::joined::Joined;
use crate::base::clock::Moment;
use crate::web::messages::Template;

/// How long a visitor has to wait.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// The time from now on.
    pub span: Duration,
    /// The moment at which it is over.
    pub until: Moment,
}

/// A moment as it is told at another one.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub at: Moment,
    /// When the page is shown.
    pub now: Moment,
}

/// When the visitor may try again: in words, and as a moment for programs.
pub(super) fn try_again(frame: Frame<'_>, wait: Wait) -> Markup {
    let Template(before, after) = frame.text.try_again_in;
    html! {
        (before) time datetime=(wait.until.rfc3339()) { (frame.text.wait(wait.span)) } (after)
    }
}

/// A moment in the past, as in `2 hours ago`.
pub(super) fn ago(frame: Frame<'_>, told: Told) -> Markup {
    exactly(None, told.at, &frame.text.ago(told.at.until(told.now)))
}

/// A moment in the past, in an element with this id.
pub(super) fn ago_with_id(frame: Frame<'_>, id: &str, told: Told) -> Markup {
    exactly(Some(id), told.at, &frame.text.ago(told.at.until(told.now)))
}

/// A moment to come, as in `in 2 days`.
pub(super) fn in_future(frame: Frame<'_>, told: Told) -> Markup {
    exactly(None, told.at, &frame.text.in_future(told.now.until(told.at)))
}

fn exactly(id: Option<&str>, at: Moment, words: &str) -> Markup {
    let exact = at.second();
    let (day, clock) = (&exact[..10], &exact[11..19]);
    html! {
        time id=[id] datetime=(Joined([exact.as_str()])) title=(Joined([day, " ", clock, " UTC"])) {
            (Joined([words]))
        }
    }
}
