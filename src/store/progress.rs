//! Progress reports of operations that take long.

/// How many rows lie between two reports.
const PROGRESS_ROWS: usize = 10_000;

/// Called now and then with what is being done and the number of rows done.
pub type Progress<'a> = &'a mut dyn FnMut(&str, usize);

/// Reports the progress of `what`, if a report is due after this many rows.
pub(crate) fn tell(progress: &mut dyn FnMut(&str, usize), what: &str, rows: usize) {
    if rows.is_multiple_of(PROGRESS_ROWS) {
        progress(what, rows);
    }
}
