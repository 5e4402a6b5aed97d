//! `vestibule serve`: how the pages look. Files are read once, here.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{APPEARANCE, own_css};
use crate::base::file_fault::reading;
use crate::web::pages::branding::{Look, Picture};

/// Bytes of a file that is sent with every page, at most.
const FILE_BYTES_MAX: usize = 65_536;

/// Characters of a title, at most: more would not fit beside the mark.
const TITLE_MAX: usize = 60;

/// Characters of a sentence, at most.
const HELP_MAX: usize = 300;

/// What the operator may change about the look of the pages.
#[derive(Args)]
pub(super) struct BrandingArgs {
    /// Name of the site, in page titles and beside the logo. [default: vestibule]
    #[arg(long, env = "VESTIBULE_TITLE", value_name = "TEXT", value_parser = title)]
    #[arg(help_heading = APPEARANCE)]
    title: Option<String>,

    /// Image file that replaces the built-in logo and icon: SVG, PNG, JPEG or WebP, at most 64 KiB.
    #[arg(long, env = "VESTIBULE_LOGO", value_name = "FILE", help_heading = APPEARANCE)]
    logo: Option<PathBuf>,

    /// Stylesheet appended to the built-in one, at most 64 KiB, to change the look: `:root { --accent: #7a3b10 }` is
    /// enough for both colour schemes. It cannot load images or fonts.
    #[arg(long, env = "VESTIBULE_CSS", value_name = "FILE", help_heading = APPEARANCE)]
    css: Option<PathBuf>,

    /// A sentence below the sign-in form, also shown to users without access to an app, such as whom to ask for help.
    #[arg(long, env = "VESTIBULE_HELP_TEXT", value_name = "TEXT", value_parser = help)]
    #[arg(help_heading = APPEARANCE)]
    help_text: Option<String>,
}

impl BrandingArgs {
    /// Reads the files; with the look comes what in the stylesheet cannot work. An error is one line that says what
    /// would do.
    pub(super) fn check(self) -> Result<(Look, Vec<String>), String> {
        let logo = match self.logo {
            Some(path) => Some(Picture::read(read("--logo", &path)?).ok_or_else(|| {
                format!("--logo {} is no SVG, PNG, JPEG or WebP", path.display())
            })?),
            None => None,
        };
        let css = match self.css {
            Some(path) => Some(
                String::from_utf8(read("--css", &path)?)
                    .map_err(|_| format!("--css {} is no text in UTF-8", path.display()))?,
            ),
            None => None,
        };
        let flaws = css.as_deref().map_or_else(Vec::new, own_css::flaws);
        Ok((Look::new(self.title, logo, css.as_deref(), self.help_text), flaws))
    }
}

/// What is in a file that a flag names, as far as it is a small one.
pub(super) fn read(flag: &str, path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let most = u64::try_from(FILE_BYTES_MAX).expect("it is small") + 1;
    let shown = path.display();
    // Opening a pipe would wait for a process that writes to it.
    if path.metadata().is_ok_and(|about| !about.is_file()) {
        return Err(format!("cannot read {flag} {shown}: it is not a regular file"));
    }
    let done = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    match done {
        Err(err) => Err(format!("cannot read {flag} {shown}: {}", reading(&err))),
        Ok(0) => Err(format!("{flag} {shown} is empty")),
        Ok(length) if length > FILE_BYTES_MAX => {
            Err(format!("{flag} {shown} is too large; {FILE_BYTES_MAX} bytes are the most"))
        }
        Ok(_) => Ok(bytes),
    }
}

fn title(text: &str) -> Result<String, String> {
    words(text, TITLE_MAX)
}

fn help(text: &str) -> Result<String, String> {
    words(text, HELP_MAX)
}

fn words(text: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    let is_good = (1..=most).contains(&text.chars().count()) && !text.contains(char::is_control);
    is_good
        .then(|| text.to_owned())
        .ok_or_else(|| format!("it must be 1 to {most} characters on one line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> BrandingArgs {
        BrandingArgs { title: None, logo: None, css: None, help_text: None }
    }

    fn file(folder: &tempfile::TempDir, name: &str, content: &[u8]) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn reads_a_logo_and_a_stylesheet_of_64_kib() {
        let folder = tempfile::tempdir().unwrap();
        let mut logo = b"\x89PNG\r\n\x1a\n".to_vec();
        logo.resize(FILE_BYTES_MAX, 0);
        let css = vec![b' '; FILE_BYTES_MAX];
        let look = BrandingArgs {
            logo: Some(file(&folder, "logo", &logo)),
            css: Some(file(&folder, "x.css", &css)),
            ..flags()
        };
        let (look, _) = look.check().unwrap();
        assert_eq!(look.logo().unwrap().kind, "image/png");
        assert!(look.style().len() > FILE_BYTES_MAX);
    }

    #[test]
    fn refuses_a_file_that_is_missing_empty_too_large_or_of_another_kind() {
        let folder = tempfile::tempdir().unwrap();
        let large = vec![b' '; FILE_BYTES_MAX + 1];
        for (look, advice) in [
            (
                BrandingArgs { logo: Some("/nowhere/logo.svg".into()), ..flags() },
                "/nowhere/logo.svg",
            ),
            (BrandingArgs { css: Some("/nowhere/x.css".into()), ..flags() }, "cannot read --css"),
            (BrandingArgs { css: Some(folder.path().to_owned()), ..flags() }, "cannot read --css"),
            (BrandingArgs { logo: Some(file(&folder, "a", b"")), ..flags() }, "is empty"),
            (
                BrandingArgs { logo: Some(file(&folder, "b", b"GIF89a")), ..flags() },
                "SVG, PNG, JPEG or WebP",
            ),
            (
                BrandingArgs { logo: Some(file(&folder, "c", &large)), ..flags() },
                "65536 bytes are the most",
            ),
            (
                BrandingArgs { css: Some(file(&folder, "d", &large)), ..flags() },
                "65536 bytes are the most",
            ),
            (BrandingArgs { css: Some(file(&folder, "e", b"\xff")), ..flags() }, "UTF-8"),
        ] {
            let Err(text) = look.check() else { panic!("{advice}") };
            assert!(text.contains(advice) && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn takes_a_title_of_one_short_line() {
        assert_eq!(title("  Haus am See "), Ok("Haus am See".to_owned()));
        assert_eq!(title(&"ü".repeat(TITLE_MAX)).unwrap().chars().count(), TITLE_MAX);
        for bad in ["", "  ", "a\nb", "a\0b", &"x".repeat(TITLE_MAX + 1)] {
            assert!(title(bad).is_err(), "{bad:?}");
        }
        assert!(help(&"x".repeat(HELP_MAX)).is_ok() && help(&"x".repeat(HELP_MAX + 1)).is_err());
    }
}
