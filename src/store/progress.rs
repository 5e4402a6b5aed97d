//! How far something is that takes a while.

/// Rows between two reports.
const PROGRESS_ROWS: usize = 10_000;

/// Told now and then what is being done, and of how many rows it is done.
pub type Progress<'a> = &'a mut dyn FnMut(&str, usize);

/// Reports that `what` is done of so many rows, if it is time to say so.
pub(crate) fn tell(progress: &mut dyn FnMut(&str, usize), what: &str, rows: usize) {
    if rows.is_multiple_of(PROGRESS_ROWS) {
        progress(what, rows);
    }
}
