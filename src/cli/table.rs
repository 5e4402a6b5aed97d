//! Text in columns, as a terminal shows it: some characters take two cells and some none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::terminal::Emphasis;

/// A text as a terminal may show it: nothing in it moves the cursor.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Whether each character of a text is visible and takes one cell, as in nearly all texts.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|it| matches!(it, b' '..=b'~'))
}

/// How many cells of a terminal a text takes.
fn cells(text: &str) -> usize {
    if is_plain(text) { text.len() } else { printable(text).width() }
}

/// Whether a character takes cells of its own: it moves no cursor, and is no part of the one before it.
pub(super) fn takes_cells(character: char) -> bool {
    character.width().is_some_and(|cells| cells > 0)
}

/// Rows under headings, in columns that are as wide as they have to be.
pub(super) fn table<S: AsRef<str>>(headings: &[&str], rows: &[impl AsRef<[S]>]) -> String {
    let mut columns = Columns::of(headings);
    for row in rows {
        columns.widen(row.as_ref());
    }
    let mut text = columns.heading();
    for row in rows {
        columns.write(row.as_ref(), &mut text);
    }
    text
}

/// Columns under headings.
pub(super) struct Columns {
    headings: Vec<String>,
    widths: Vec<usize>,
}

impl Columns {
    /// Columns that are as wide as their headings.
    pub(super) fn of(headings: &[&str]) -> Self {
        let headings: Vec<_> = headings.iter().map(|it| it.to_uppercase()).collect();
        let widths = headings.iter().map(|it| it.width()).collect();
        Self { headings, widths }
    }

    /// Makes them wide enough for a row.
    pub(super) fn widen(&mut self, row: &[impl AsRef<str>]) {
        for (width, cell) in self.widths.iter_mut().zip(row) {
            *width = (*width).max(cells(cell.as_ref()));
        }
    }

    /// The line of headings, which stands out on a terminal.
    pub(super) fn heading(&self) -> String {
        let mut line = String::new();
        self.write(&self.headings, &mut line);
        Emphasis::Bold.print(line.trim_end()) + "\n"
    }

    /// Adds a row to a text, as a line. A cell that is wider than its column pushes the others to the right.
    pub(super) fn write(&self, row: &[impl AsRef<str>], text: &mut String) {
        // Spaces are due before the next cell that is not empty.
        let mut due = 0;
        for (cell, width) in row.iter().zip(&self.widths) {
            let cell = cell.as_ref();
            if !cell.is_empty() {
                text.extend(std::iter::repeat_n(' ', due));
                due = 0;
                if is_plain(cell) {
                    text.push_str(cell);
                } else {
                    text.push_str(&printable(cell));
                }
            }
            due += width.saturating_sub(cells(cell)) + 2;
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
}

/// A number of things, as in `1 session` and `2 sessions`.
pub(super) fn counted(count: impl std::fmt::Display, thing: &str) -> String {
    let count = count.to_string();
    let ending = if count == "1" { "" } else { "s" };
    format!("{count} {thing}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_one_thing_as_one() {
        let all = [0, 1, 2].map(|count| counted(count, "session"));
        assert_eq!(all, ["0 sessions", "1 session", "2 sessions"]);
    }

    #[test]
    fn aligns_columns_whatever_cells_a_character_takes() {
        let names =
            ["anna", "\u{5c71}\u{7530}\u{592a}\u{90ce}", "e\u{301}ve", "\u{1f46a}x", "a\u{7}b"];
        let rows: Vec<_> = names.iter().map(|it| vec![(*it).to_owned(), "x".to_owned()]).collect();
        let table = table(&["name", "id"], &rows);
        let rows = table.lines().skip(1);
        let starts: Vec<_> = rows.map(|line| line[..line.len() - 1].width()).collect();
        assert_eq!(starts, [10, 10, 10, 10, 10], "{table}");
    }

    #[test]
    fn leaves_no_space_at_the_end_of_a_line() {
        let rows = [["a", "", ""], ["", "b ", ""], ["", "", ""], ["c", "", "d"]];
        let table = table(&["x", "y", "z"], &rows);
        assert_eq!(table, "X  Y   Z\na\n   b\n\nc      d\n");
    }

    #[test]
    fn lets_a_cell_that_is_too_wide_push_the_others() {
        let columns = Columns::of(&["name", "id"]);
        let line = |name: &str| {
            let mut text = String::new();
            columns.write(&[name, "7"], &mut text);
            text
        };
        assert_eq!(
            (line("ann"), line("\u{5c71}\u{7530}\u{592a}")),
            ("ann   7\n".into(), "\u{5c71}\u{7530}\u{592a}  7\n".into())
        );
        assert_eq!(columns.heading(), "NAME  ID\n");
    }
}
