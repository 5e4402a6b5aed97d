//! Counts the instructions of what every request goes through, which are the same in every run, and compares them with
//! those of the last release. Ends with 1 if one has grown by a tenth.
//!
//! `BENCH_PROGRAMS` is the folder of the programs. `BENCH_KNOWN` is the file with the figures to compare with,
//! benches/instructions.txt unless it is set: those of a debug build are in a file of their own, for `make test`.
//! `BENCH_KEEP=1` writes the figures down as the new ones.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

const PARTS: [&str; 6] = ["head", "form", "cookie", "answer", "check", "sign_in"];

/// The part that is in another one and is not counted there: a slow hash says nothing of our own code.
const WITHIN: [(&str, &str); 1] = [("sign_in", "hash")];

/// How much more is a regression.
const TOLERANCE: f64 = 1.1;

fn main() {
    let programs = PathBuf::from(std::env::var_os("BENCH_PROGRAMS").expect("run by make bench"));
    let program = programs.join("examples/pure");
    let known = std::env::var_os("BENCH_KNOWN").unwrap_or("benches/instructions.txt".into());
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join(known);
    let text = std::fs::read_to_string(&known).unwrap_or_default();
    let (mut has_grown, mut figures) = (false, String::new());
    for part in PARTS {
        let within = WITHIN.iter().filter(|(whole, _)| *whole == part);
        let within: f64 = within.map(|(_, inner)| each(&program, inner)).sum();
        let each = each(&program, part) - within;
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

/// The instructions of one time, without those of the start.
fn each(program: &Path, part: &str) -> f64 {
    const FEW: u32 = 50;
    const MANY: u32 = 250;
    (count(program, part, MANY) - count(program, part, FEW)) / f64::from(MANY - FEW)
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
