//! Counts the instructions of the pure path, which are the same in every run, and compares them with
//! those of the last release, in benches/instructions.txt. Ends with 1 if one has grown by a tenth.
//! `BENCH_KEEP=1` writes the figures down as the new ones.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

const PARTS: [&str; 5] = ["head", "form", "cookie", "answer", "check"];

/// How much more is a regression.
const TOLERANCE: f64 = 1.1;

fn main() {
    let programs = PathBuf::from(std::env::var_os("BENCH_PROGRAMS").expect("run by make bench"));
    let program = programs.join("examples/pure");
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt");
    let text = std::fs::read_to_string(&known).unwrap_or_default();
    let (mut has_grown, mut figures) = (false, String::new());
    for part in PARTS {
        let few = count(&program, part, 200);
        let many = count(&program, part, 1_200);
        let each = (many - few) / 1_000.0;
        writeln!(figures, "{part} {each:.0}").expect("a text takes all");
        let before = text.lines().find_map(|line| line.strip_prefix(part)?.trim().parse().ok());
        let before: f64 = before.unwrap_or(each);
        println!("{part}: {each:.0} instructions, {:.3} of the last release's", each / before);
        has_grown |= each > before * TOLERANCE;
    }
    if std::env::var_os("BENCH_KEEP").is_some() {
        std::fs::write(&known, figures).expect("a file that can be written");
    } else if has_grown {
        eprintln!("It has become slower by more than a tenth.");
        exit(1);
    }
}

/// All instructions of a run, its start included.
fn count(program: &Path, part: &str, times: u32) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([part, &times.to_string()])
        .output()
        .expect("valgrind is installed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let line = said.lines().find_map(|line| line.split_once("Collected : ")).expect("its report");
    line.1.trim().parse().expect("a number")
}
